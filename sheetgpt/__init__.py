"""GPT-2 as a spreadsheet: every number a formula, every cell proven."""

__version__ = "0.1.0"
