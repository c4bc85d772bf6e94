"""Slips as DOCX, for an office that wants to go on writing in one."""

import io
from typing import Any, Final

from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt

from server.slips.paper import Paper

DOCX_TYPE: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_FONT: Final = "FangSong"
_BODY_PT: Final = 16
_HEADING_PT: Final = 22
_NUMBER_PT: Final = 14
_FOOTER_PT: Final = 10.5


def slip_docx(paper: Paper) -> bytes:
    """One slip as DOCX."""
    document = Document()
    _set_page(document)
    for text, size, bold in (
        (paper.office, _HEADING_PT, True),
        (paper.heading, _HEADING_PT, True),
        (paper.number, _NUMBER_PT, False),
    ):
        line = document.add_paragraph()
        line.alignment = WD_ALIGN_PARAGRAPH.CENTER
        run = line.add_run(text)
        run.font.size, run.bold = Pt(size), bold
    if paper.opening:
        document.add_paragraph(paper.opening)
    for text in paper.paragraphs:
        document.add_paragraph(text).paragraph_format.first_line_indent = Pt(2 * _BODY_PT)
    for text in (paper.office, paper.date):
        document.add_paragraph(text).alignment = WD_ALIGN_PARAGRAPH.RIGHT
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _set_page(document: Any) -> None:
    """A4 with the margins of official papers, a Chinese font, and "第 x 页 共 y 页" below."""
    section, style = document.sections[0], document.styles["Normal"]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin, section.bottom_margin = Mm(37), Mm(35)
    section.left_margin, section.right_margin = Mm(28), Mm(26)
    style.font.name, style.font.size = _FONT, Pt(_BODY_PT)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), _FONT)
    footer = section.footer.paragraphs[0]
    footer.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for text, field in (("第 ", "PAGE"), (" 页 共 ", "NUMPAGES"), (" 页", "")):
        run = footer.add_run(text)
        run.font.size = Pt(_FOOTER_PT)
        if field:
            footer._p.append(_field(field))  # noqa: SLF001 (python-docx has no call for fields)


def _field(name: str) -> Any:
    """A field that the reader's program fills in, such as the number of the page."""
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), name)
    return field
