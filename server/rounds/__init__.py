"""How often places are screened, and which daily reports have come. Silence is never called a missing report."""
