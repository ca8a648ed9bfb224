"""The table's rows, one module for each AWS service."""
