"""The README's twenty lines, run as they stand against a real server process, print what the README says."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ROUNDBOOK = str(Path(sys.executable).with_name("roundbook"))


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None, f"the README has no block of {language}"
    return found.group(1)


def commands() -> list[list[str]]:
    """The set-up commands of the README, those that run to an end."""
    lines = [
        line.partition("#")[0].split() for line in README.splitlines() if line.startswith("    roundbook ")
    ]
    return [line[1:] for line in lines if "&" not in line]


@contextmanager
def serving(data: Path) -> Iterator[str]:
    command = [ROUNDBOOK, "serve", "--data", str(data), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            said = process.stdout.readline()
            found = re.search(r"http://[0-9.:]+", said)
            assert found is not None, f"the server said {said!r}"
            yield found.group()
        finally:
            process.terminate()


@pytest.mark.slow
def test_the_readme_prints_what_it_says(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data) as url:
        codes = []
        for words in commands():
            extra = ["--json"] if words[:2] == ["device", "code"] else []
            ran = subprocess.run(
                [ROUNDBOOK, *words, *extra, "--data", str(data)], check=True, capture_output=True
            )
            codes += [json.loads(ran.stdout)["code"]] if extra else []
        program = block("python").replace("http://127.0.0.1:8000", url)
        for placeholder, code in zip(("AAAA-AAAA", "BBBB-BBBB"), codes, strict=True):
            program = program.replace(placeholder, code)
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONIOENCODING": "utf-8"}
        ran = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True, capture_output=True
        )
    assert without_year(ran.stdout.decode()) == without_year(block("text"))


def without_year(text: str) -> str:
    """Registration numbers carry the year in which they were given."""
    return re.sub(r"321283104-\d{4}-", "321283104-YEAR-", text)


def test_every_link_of_the_readme_leads_somewhere() -> None:
    root = Path(__file__).parents[2]
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README)
    assert links
    assert [link for link in links if not link.startswith("http") and not (root / link).exists()] == []
