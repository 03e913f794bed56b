"""The options of ``mirante bridge webhook``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer


@dataclass(frozen=True, kw_only=True)
class Given:
    """One address, or a file of several, and what is to be done.

    Attributes:
        url: of one address.
        hooks: file of several.
        preset, template, chat, image, secret: as the keys of a hook.
        links, link_secret: as ``dashboard`` and ``secret`` of the key ``links``.
        test: send an event that is clearly a test to each, and end.
        dead: show what was given up, and end.
        redeliver: send what was given up once more, and end.
    """

    url: Annotated[
        str | None,
        typer.Argument(metavar="URL", help="Address to POST to; '${NAME}' is a variable's value."),
    ] = None
    hooks: Annotated[
        Path | None, typer.Option("--hooks", metavar="FILE", help="YAML file of addresses instead.")
    ] = None
    preset: Annotated[
        str | None, typer.Option(help="json, ntfy, slack, telegram or discord; else json.")
    ] = None
    template: Annotated[
        str | None, typer.Option(help="Jinja2: the body (json), or the text of the message.")
    ] = None
    chat: Annotated[str | None, typer.Option(help="telegram: number or @channel.")] = None
    image: Annotated[
        str | None, typer.Option(help="Of events with an image: none, attach or link.")
    ] = None
    secret: Annotated[
        str | None, typer.Option(help="Signs requests; best '${NAME}', a variable's value.")
    ] = None
    links: Annotated[
        str | None, typer.Option(help="Address of the dashboard, for links to images.")
    ] = None
    link_secret: Annotated[
        str | None, typer.Option(help="The dashboard's link_secret; best '${NAME}'.")
    ] = None
    test: Annotated[bool, typer.Option("--test", help="Send a test to each address, and end.")] = (
        False
    )
    dead: Annotated[bool, typer.Option("--dead", help="Show what was given up, and end.")] = False
    redeliver: Annotated[
        bool, typer.Option("--redeliver", help="Send what was given up once more, and end.")
    ] = False

    def document(self) -> dict[str, Any]:
        """Return the one address as a file would say it.

        Raises:
            ValueError: there is none.
        """
        if self.url is None:
            raise ValueError("expected a URL, or --hooks FILE")
        names = ("url", "preset", "template", "chat", "image", "secret")
        hook = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.links is not None and self.image != "link":
            raise ValueError("--links: expected --image link with it: nothing else has links")
        links = {"dashboard": self.links, "secret": self.link_secret}
        said = {name: value for name, value in links.items() if value is not None}
        return {"hooks": {"webhook": hook}} | ({"links": said} if said else {})

    def check_alone(self) -> None:
        """Check that nothing of one address is said beside a file.

        Raises:
            ValueError: something is.
        """
        names = ("url", "preset", "template", "chat", "image", "secret", "links", "link_secret")
        if said := [name for name in names if getattr(self, name) is not None]:
            option = "a URL" if said[0] == "url" else f"--{said[0].replace('_', '-')}"
            raise ValueError(f"{option}: expected it in the file of --hooks")
