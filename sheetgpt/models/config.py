"""The sizes of a GPT-2 model: all that is needed to know its shapes, without any weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from sheetgpt.errors import WeightError

Shape = tuple[int, int]

_LARGEST = {
    "n_layer": 512,
    "n_head": 512,
    "n_embd": 16_384,
    "n_ctx": 1_048_576,
    "n_vocab": 1_000_000,
    "n_inner": 65_536,
}
_AT_LEAST_TWO = {"n_vocab", "n_embd", "n_inner"}  # a table of one cell is no table to a spreadsheet
ACTIVATIONS = ("gelu_new", "gelu", "quick_gelu", "relu")


@dataclass(frozen=True)
class ModelConfig:
    """Hyperparameters, named as in OpenAI's `hparams.json` (Radford et al. 2019; openai/gpt-2 `src/model.py`).

    Raises `WeightError` where the sizes contradict each other.
    """

    n_vocab: int
    n_ctx: int
    n_embd: int
    n_head: int
    n_layer: int
    eps: float = 1e-5
    tied: bool = True  # the head is `wte` again; otherwise `lm_head.w`
    n_inner: int | None = None  # width of the hidden layer of the MLP, where it is not four times the embedding
    activation: str = "gelu_new"  # of the MLP, by Hugging Face's name; this is the tanh form, OpenAI's

    def __post_init__(self) -> None:
        if self.n_inner == 4 * self.n_embd:
            object.__setattr__(self, "n_inner", None)  # so that equal models are equal
        for name, most in _LARGEST.items():
            value = getattr(self, name)
            if name == "n_inner" and value is None:
                continue
            least = 2 if name in _AT_LEAST_TWO else 1
            if type(value) is not int or not least <= value <= most:
                raise WeightError(f"config: {name} must be a whole number from {least} to {most:,}, not {value!r}")
        if self.n_embd % self.n_head:
            raise WeightError(f"config: n_embd {self.n_embd} is not a multiple of n_head {self.n_head}")
        if type(self.eps) is not float or not 0 < self.eps < 1:
            raise WeightError(f"config: eps must be a number between 0 and 1, not {self.eps!r}")
        if type(self.tied) is not bool:
            raise WeightError(f"config: tied must be true or false, not {self.tied!r}")
        if self.activation not in ACTIVATIONS:
            raise WeightError(
                f"config: activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r:.40}"
            )

    @property
    def d_head(self) -> int:
        """Width of one attention head."""
        return self.n_embd // self.n_head

    @property
    def d_mlp(self) -> int:
        """Width of the hidden layer of the MLP: four times the embedding, unless the model says otherwise."""
        return self.n_inner or 4 * self.n_embd

    @property
    def head_name(self) -> str:
        """Name of the matrix that turns a vector into logits."""
        return "wte" if self.tied else "lm_head.w"

    def unlike(self, other: ModelConfig) -> str:
        """The fields in which two models differ, such as `n_embd, eps`; empty if they are alike."""
        return ", ".join(f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name))

    def shapes(self) -> dict[str, Shape]:
        """Every weight's name and shape in pipeline order; a vector is one row."""
        d, wide = self.n_embd, self.d_mlp
        out: dict[str, Shape] = {"wte": (self.n_vocab, d), "wpe": (self.n_ctx, d)}
        for i in range(self.n_layer):
            block: dict[str, Shape] = {
                "ln_1.g": (1, d),
                "ln_1.b": (1, d),
                "attn.c_attn.w": (d, 3 * d),
                "attn.c_attn.b": (1, 3 * d),
                "attn.c_proj.w": (d, d),
                "attn.c_proj.b": (1, d),
                "ln_2.g": (1, d),
                "ln_2.b": (1, d),
                "mlp.c_fc.w": (d, wide),
                "mlp.c_fc.b": (1, wide),
                "mlp.c_proj.w": (wide, d),
                "mlp.c_proj.b": (1, d),
            }
            out |= {f"h{i}.{name}": shape for name, shape in block.items()}
        out |= {"ln_f.g": (1, d), "ln_f.b": (1, d)}
        return out if self.tied else out | {"lm_head.w": (self.n_vocab, d)}

    @property
    def n_weights(self) -> int:
        """Learned numbers in all."""
        return sum(rows * cols for rows, cols in self.shapes().values())

    def to_dict(self) -> dict[str, int | float | bool | str]:
        """Plain values, for JSON; `n_inner` and `activation` only where they are not GPT-2's own."""
        usual = {"n_inner": None, "activation": "gelu_new"}
        return {name: value for name, value in asdict(self).items() if name not in usual or value != usual[name]}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> ModelConfig:
        """The inverse of `to_dict`; raises `WeightError` for anything missing, unknown or of the wrong type."""
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(data) - known):
            raise WeightError(f"config: unknown entry {unknown[0]!r}")
        try:
            return cls(**data)  # type: ignore[arg-type]  # __post_init__ checks every type
        except TypeError as error:
            raise WeightError("config: needs n_vocab, n_ctx, n_embd, n_head and n_layer") from error
