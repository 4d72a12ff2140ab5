"""What is computed: GPT-2 as named expressions. Nothing here knows of cells or of numpy."""
