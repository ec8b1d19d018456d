"""`nexus demo`: everything above the fold, on this machine, in seconds.

A local model server stands in for the provider, so that one can see what reached it. Live, the same
steps ask OpenAI.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nexus_sdk.demo.acts import ACTS, NotShown
from nexus_sdk.demo.scene import MODEL, Scene
from nexus_sdk.demo.screen import Screen

if TYPE_CHECKING:
    from rich.console import Console

    from nexus_sdk.demo.acts import Act


def run(console: Console, *, live: bool = False) -> int:
    """Play every step on `console`; returns 0, or 1 when one did not show what it should.

    Everything is kept in a folder that is gone afterwards. Live raises BadSettings without
    `OPENAI_API_KEY`, and costs a fraction of a cent.
    """
    screen = Screen(console)
    began = time.monotonic()
    with Scene(live=live) as scene:
        screen.open(
            "Nexus",
            f"OpenAI's {MODEL} answers."
            if live
            else "A model server on this machine answers; no key and no network is needed.",
        )
        missed = [act.__name__ for act in ACTS if not _played(act, scene, screen)]
    if missed:
        screen.open(f"Not shown: {', '.join(missed)}", "Please report it, with what stands above.")
    else:
        seconds = time.monotonic() - began
        screen.open(
            f"That was all of it, in {seconds:.0f} seconds",
            "nexus init      writes a policy to begin with",
            "nexus --help    tells the rest",
        )
    return 1 if missed else 0


def _played(act: Act, scene: Scene, screen: Screen) -> bool:
    try:
        screen.shown(act(scene, screen))
    except NotShown as missed:
        screen.missed(str(missed))
        return False
    except Exception as error:  # noqa: BLE001  the other steps are still worth seeing
        screen.missed(f"{type(error).__name__}: {error}")
        return False
    return True
