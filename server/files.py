"""Files that an administrator names, read whole; a sentence when that fails."""

from pathlib import Path

from server.refused import RefusedError


def read_file(file: Path) -> bytes:
    """The content of a file; raises RefusedError that says why it cannot be read."""
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        message = f"There is no file {file}."
        raise RefusedError(message) from error
    except OSError as error:
        message = f"{file} cannot be read: {(error.strerror or 'the system refuses').lower()}."
        raise RefusedError(message) from error


def read_text(file: Path) -> str:
    """The content of a file in UTF-8; raises RefusedError."""
    try:
        return read_file(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{file} is not text in UTF-8: save it as UTF-8."
        raise RefusedError(message) from error
