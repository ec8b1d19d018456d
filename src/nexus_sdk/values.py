"""Values that are made for every request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import dataclass_transform


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value[T](cls: type[T]) -> type[T]:
    """A slotted dataclass that nobody may change: the type checker holds everybody to it.

    `dataclass(frozen=True)` would enforce it at run time as well, and make every instance two to
    three times as dear (1.2 against 0.5 us for eight fields); a request makes some thirty.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
