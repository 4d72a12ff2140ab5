"""Where it stands in a workbook: layout, formulas, writing, reading."""
