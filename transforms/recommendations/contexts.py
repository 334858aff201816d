"""The contexts that lists are made for, and the users who stand for everybody."""

from __future__ import annotations

from collections.abc import Mapping

DEVICE_CLASSES: Mapping[str, tuple[str, ...]] = {
    "tv": ("smart_tv", "streaming_stick", "console"),
    "mobile": ("mobile", "tablet"),
    "computer": ("desktop",),
}
HOMEPAGE = "homepage"
CONTINUE_WATCHING = "continue_watching"
BECAUSE_YOU_WATCHED = "because_you_watched"
NEW_RELEASES = "new_releases"
CONTEXT_TYPES = (
    HOMEPAGE,
    *(f"{HOMEPAGE}:{name}" for name in DEVICE_CLASSES),
    CONTINUE_WATCHING,
    BECAUSE_YOU_WATCHED,
    NEW_RELEASES,
)
EVERYBODY = "*"
"""The user whose lists are popularity's, for a cold start. No user id has a *."""

UNKNOWN_REGION = "unknown"
"""The region of a fact that names none."""


def everybody_in(region: str) -> str:
    """The user whose lists are the popularity of a region."""
    return f"{EVERYBODY}/{region}"
