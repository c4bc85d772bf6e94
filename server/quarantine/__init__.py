"""Changes that could not be applied when they came: seen, corrected, taken in again or closed."""
