"""The one place of this package that reads files: the TOML that ships with it."""

from importlib import resources


def shipped_files(folder: str) -> list[tuple[str, str]]:
    """Name and text of each TOML file in `folder` of this package, in the order of their names."""
    root = resources.files("sync_protocol.kinds") / folder
    files = sorted(
        (file for file in root.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name
    )
    return [(file.name, file.read_text(encoding="utf-8")) for file in files]
