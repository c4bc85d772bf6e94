"""Slips (文书): numbered papers of a matter, from templates, as PDF and DOCX; and the printed case file."""
