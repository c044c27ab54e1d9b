from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Source:
    name: str
    size: int | None = None

    @property
    def family(self) -> str:
        return self.name

    def open(self) -> BinaryIO:
        return open(self.name, "rb")


def find(names: Sequence[str]) -> tuple[Source, ...]:
    return tuple(Source(n) for n in names)
