"""The documents under test: recorded examples, worked numbers, lists of codes and errors."""
