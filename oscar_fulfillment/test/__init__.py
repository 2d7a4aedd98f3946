"""For tests of stores and plugins: factories by situation and contract tests for adapters."""
