"""What suggests something without proving it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Hint:
    """A code of `wording.toml` and the values its sentence needs."""

    code: str
    values: dict[str, str] = field(default_factory=dict)
