"""The office's part, over HTTP with an application's token."""

from typing import Any, Self

import httpx2

from demo.plan import TOWNSHIP

_TIMEOUT_S = 30.0


class Office:
    """The township's desk."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S)

    def create(self, key: str, place: str, fields: dict[str, Any]) -> str:
        """A matter from the hotline; its id."""
        body = {"kind": "matter", "key": key, "place": place, "fields": fields}
        return str(self._ask("POST", "/v1/records", json=body)["id"])

    def get(self, record: str) -> dict[str, Any]:
        """A record as it stands."""
        return self._ask("GET", f"/v1/records/{record}")

    def edit(self, record: str, **what: Any) -> None:
        """Changes `fields`, or moves the record to another `place`, on what stands now."""
        version = self.get(record)["version"]
        self._ask("PATCH", f"/v1/records/{record}", json=what, headers={"if-match": f'"{version}"'})

    def conflicts(self, status: str) -> list[dict[str, Any]]:
        """The inbox of what differs."""
        return self._all("/v1/conflicts", "conflicts", status=status)

    def history(self, record: str) -> list[dict[str, Any]]:
        """What happened to a record."""
        return self._all(f"/v1/records/{record}/history", "changes")

    def records(self) -> list[dict[str, Any]]:
        """Every record of the township that is not closed."""
        return self._all("/v1/records", "records", township=TOWNSHIP, closed="false", limit="500")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def _all(self, path: str, name: str, **wanted: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self._ask("GET", path, params=wanted)
            found += page[name]
            if page["next"] is None:
                return found
            wanted["after"] = page["next"]

    def _ask(self, method: str, path: str, **what: Any) -> dict[str, Any]:
        response = self._http.request(method, path, **what)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer
