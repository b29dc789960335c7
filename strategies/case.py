"""``layer_cases()`` and ``cases()``: questions with the recipe of their arrays, each within the work bound."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from hypothesis.errors import InvalidArgument
from hypothesis.strategies import DrawFn, SearchStrategy, tuples

from harness.frameworks.base import Api
from harness.layer import Case, Layer
from strategies.bounds import fit_input, fits
from strategies.input import BATCHES, EXTENTS, SOME_BATCHES, SOME_EXTENTS, draw_input_size
from strategies.invalid import invalid_cases
from strategies.layer import layers as any_layers
from strategies.published import PublishedLayer, case_at, published
from strategies.recipe import Recipe, exact
from strategies.recipe import values as any_values
from strategies.sampling import drawn, one_of, sampled
from strategies.spelled import spelled_cases, with_vocabulary
from strategies.trouble import TROUBLES, Trouble
from strategies.weights import Table, among, check_flag, check_strategy


class Question(Enum):
    """What a case of the main stream asks."""

    LAYER = "a layer"
    PUBLISHED = "a published layer"
    TROUBLE = "a layer that was once answered wrongly"
    SPELLED = "an API's own arguments"
    INVALID = "arguments that the documentation forbids"


LAYERS_ONLY = Table("question", {Question.LAYER: 191, Question.PUBLISHED: 8, Question.TROUBLE: 1})
EVERYTHING = Table(
    "question",
    {Question.LAYER: 161, Question.SPELLED: 20, Question.INVALID: 12, Question.PUBLISHED: 6, Question.TROUBLE: 1},
)


#: Fewer draws count as simpler. A known layer has all of a plain one's and one more; a case in words has fewer of
#: its own, and needs these so that shrinking prefers the plain one.
_FILLER = sampled(tuples(*(among("filler", range(2)).at(place) for place in range(16))), lambda _: (0,) * 16)


def layer_cases(
    *,
    layers: SearchStrategy[Layer] | None = None,
    values: SearchStrategy[Recipe] | None = None,
    allow_empty: bool = True,
) -> SearchStrategy[Case]:
    """Cases that ask a layer of every API: small ones mostly, wide and batched ones, now and then an empty one.

    The input size is at least what leaves one output element per axis; batch and input size are reduced until the
    case keeps the work bound. ``values`` that would not be exact become ``normal`` ones.

    Raises:
        InvalidArgument: an option that is no strategy, or a layer too large for the bound at its least input size.

    >>> from hypothesis import find
    >>> find(layer_cases(), lambda case: case.batch == 2).input_size
    (1,)
    """
    layers = any_layers() if layers is None else layers
    values = any_values() if values is None else values
    check_strategy("layers", layers)
    check_strategy("values", values)
    check_flag("allow_empty", allow_empty)
    extents = EXTENTS if allow_empty else SOME_EXTENTS
    batches = BATCHES if allow_empty else SOME_BATCHES

    @drawn
    def case(draw: DrawFn) -> Case:
        layer = draw(layers)
        input_size = draw_input_size(draw, layer, extents)
        batch, recipe = draw(batches.at()), draw(values)
        batch, input_size = fit_input(layer, input_size, batch=batch, dtype=recipe.dtype)
        if not fits(layer, input_size, batch=batch, dtype=recipe.dtype):
            raise InvalidArgument(f"layers drew {layer}: too large for the work bound at its least input size")
        recipe = exact(recipe, layer.products_per_output(input_size))
        return Case(layer, batch=batch, input_size=input_size, **recipe._asdict())

    return case


def cases(*, apis: Sequence[Api] = ()) -> SearchStrategy[Case]:
    """The campaign's main stream: layers, and for the APIs that have a vocabulary their own arguments, legal or not.

    84 of 100 cases ask a layer, 10 what an API's own arguments ask for, 6 break one rule of its documentation; without
    such APIs every case asks a layer. Three or four of 100 are layers of published models, one of 200 is known trouble.

    Raises:
        InvalidArgument: ``apis`` has an entry that is no ``Api``.

    >>> from hypothesis import find
    >>> case = find(cases(), lambda case: True)
    >>> case.layer
    Layer(in_channels=1, out_channels=1, kernel_size=(1,), stride=(1,), padding=(0,), output_padding=(0,), \
dilation=(1,), groups=1, bias=False)
    >>> case.batch, case.input_size, case.dtype, case.values, case.seed
    (1, (1,), 'float32', 'integers', 0)
    """
    worded = with_vocabulary(apis)
    questions = EVERYTHING if worded else LAYERS_ONLY
    of_layers = layer_cases()
    known: dict[Question, SearchStrategy[PublishedLayer | Trouble]] = {
        Question.PUBLISHED: one_of(published()),
        Question.TROUBLE: one_of(TROUBLES),
    }
    in_words = {Question.SPELLED: spelled_cases(worded), Question.INVALID: invalid_cases(worded)} if worded else {}

    @drawn
    def case(draw: DrawFn) -> Case:
        question = draw(questions.at())
        if question in in_words:
            draw(_FILLER)
            return draw(in_words[question])
        plain = draw(of_layers)
        if question is Question.LAYER:
            return plain
        return case_at(draw(known[question]), Recipe(plain.dtype, plain.values, plain.seed))

    return case
