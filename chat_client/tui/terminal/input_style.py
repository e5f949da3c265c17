"""The style of the input line: a hint while it is empty."""

from collections.abc import Callable

from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput

from chat_client.common.cells import fit


class Hint(Processor):
    """`hint` gives the text, which MUST NOT make the line longer than a row, and the cells that there are for it."""

    def __init__(self, hint: Callable[[], tuple[str, int]]) -> None:
        self._hint = hint

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        fragments = transformation_input.fragments
        text, cells = self._hint()
        if transformation_input.document.text or not text:
            return Transformation(fragments)
        return Transformation([*fragments, ("class:hint", fit(text, max(0, cells)))])
