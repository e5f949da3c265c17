"""How the line that is typed looks: a hint while it is empty."""

from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput

from chat_client.common.cells import fit
from chat_client.tui.state.screen import Screen


class Hint(Processor):
    """MUST NOT make the line longer than a row."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        fragments = transformation_input.fragments
        if transformation_input.document.text or not self._screen.typing or self._screen.composing is not None:
            return Transformation(fragments)
        hint = fit(self._screen.hint, max(0, self._screen.geometry.middle - 4))
        return Transformation([*fragments, ("class:hint", hint)])
