"""What can go wrong, one class each. A message is one line and says what to do.

`exit_code` is what the command line ends with: 2 for something the user can change in the
call, 3 for a workbook that cannot be read or computed.
"""

_WIDEST = 600


def visible(text: object) -> str:
    """Text of any origin as one line in which everything can be seen: what cannot be printed is told by its number."""
    return "".join(c if c.isprintable() else f"<{ord(c):02X}>" for c in str(text))


def one_line(text: object) -> str:
    """Text of any origin as one printable line: it cannot add a line, move the cursor, or fill the screen."""
    plain = visible(text)
    return plain if len(plain) <= _WIDEST else plain[:_WIDEST] + "..."


class SheetGPTError(Exception):
    """Any error that sheetgpt raises on purpose."""

    exit_code = 2


class PlanError(SheetGPTError):
    """An expression that cannot be said: shapes that do not fit, a name used twice."""


class LayoutError(SheetGPTError):
    """A plan that does not fit a workbook: a limit of the file format."""


class WeightError(SheetGPTError):
    """Weights that are missing, of the wrong shape, or not numbers."""


class PromptError(SheetGPTError):
    """A prompt that the model cannot read."""


class OutputError(SheetGPTError):
    """A place where nothing can be written."""


class EngineError(SheetGPTError):
    """A recalculation engine that failed on a file, or ran out of time or memory."""

    exit_code = 3


class EngineMissingError(EngineError):
    """An engine that is not installed; the message says how to install it."""

    exit_code = 2


class MapError(SheetGPTError):
    """A map of a foreign workbook that cannot be followed."""


class BuildError(SheetGPTError):
    """A workbook that an engine computes otherwise than numpy: ours is the fault, and nothing is written."""

    exit_code = 1


class WorkbookError(SheetGPTError):
    """A file that is not a workbook, or not one that sheetgpt made."""

    exit_code = 3
