"""``spellings()`` and ``spelled_cases()``: an API's own arguments, from its declared vocabulary.

Half of them are the API's own wordings of a layer, half are filled in argument by argument. Every argument lies in a
declared domain; whether the whole is legal, ``api.resolve`` says, and near the boundaries it sometimes says no.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis.errors import InvalidArgument
from hypothesis.strategies import DrawFn, SearchStrategy

from harness.frameworks.base import Absent, Api, Role
from harness.layer import MAX_NDIM, Argument, Case, Layer, Spelling
from harness.records import Resolved, Size
from strategies.bounds import fit_input, fit_layer, fit_without_groups, least_input_size
from strategies.input import SOME_BATCHES, SOME_EXTENTS, draw_input_size
from strategies.layer import layers
from strategies.recipe import exact, values
from strategies.sampling import drawn, one_of
from strategies.weights import Table, check_between
from strategies.wording import Asked, draw_argument, draw_domain


def spellings(api: Api, *, input_size: Sequence[int] | None = None) -> SearchStrategy[Spelling]:
    """One API's own arguments, each in a domain that the API declares.

    ``input_size`` is the size they are meant for: sizes and paddings lie near what is legal there, and the channels
    are few enough for the work bound.

    Raises:
        InvalidArgument: no ``Api`` with a vocabulary, or an input size that is not one to three integers.

    >>> from hypothesis import find
    >>> from harness.frameworks.torch import ConvTranspose
    >>> find(spellings(ConvTranspose()), lambda spelling: spelling.get("stride") == (2,))["kernel_size"]
    (1,)
    """
    check_vocabulary("api", api)
    size = None if input_size is None else tuple(input_size)
    if size is not None:
        check_between("len(input_size)", len(size), 1, MAX_NDIM)
        for n in size:
            check_between("input_size", n, 0, 2**16)
    some_layers = layers(ndim=None if size is None else len(size))

    @drawn
    def spelling(draw: DrawFn) -> Spelling:
        layer = draw(some_layers)
        if size is None:
            return draw_spelling(draw, api, layer, draw_input_size(draw, layer, SOME_EXTENTS))
        return draw_spelling(draw, api, _suited(layer, size), size)

    return spelling


def spelled_cases(apis: Sequence[Api]) -> SearchStrategy[Case]:
    """Cases that ask one of these APIs its own arguments, each API as often as any other.

    Raises:
        InvalidArgument: an entry that is no ``Api`` with a vocabulary, or no entry.

    >>> from hypothesis import find
    >>> from harness.frameworks.torch import ConvTranspose
    >>> find(spelled_cases([ConvTranspose()]), lambda case: case.batch == 2).input_size
    (1,)
    """
    chosen, recipes, some_layers = one_of(check_apis(apis)), values(), layers()

    @drawn
    def case(draw: DrawFn) -> Case:
        api, layer = draw(chosen), draw(some_layers)
        input_size = draw_input_size(draw, layer, SOME_EXTENTS)
        batch, recipe = draw(SOME_BATCHES.at()), draw(recipes)
        batch, input_size = fit_input(layer, input_size, batch=batch, dtype=recipe.dtype)
        # An API without groups, or a wording that leaves them out, is asked for all pairs of channels.
        layer = fit_without_groups(layer, input_size, batch=batch, dtype=recipe.dtype)
        spelling = draw_spelling(draw, api, layer, input_size)
        # An argument left out can mean more products than the layer has: count all that any layer of this size has.
        recipe = exact(recipe, layer.replace(groups=1, stride=1, dilation=1).products_per_output(input_size))
        return Case.spelled(spelling, input_size=input_size, batch=batch, **recipe._asdict())

    return case


def draw_spelling(draw: DrawFn, api: Api, layer: Layer, input_size: Size) -> Spelling:
    """One of the API's own wordings of the layer, or one that is filled in argument by argument.

    Where none of its wordings is legal, it is of as much of the layer as the API has words for.
    """
    layer, written = worded(api, layer, input_size)
    choice = draw(_WORDING.at())
    return written[choice % len(written)] if written and choice < _FILLED else _filled(draw, api, layer, input_size)


def worded(api: Api, layer: Layer, input_size: Size) -> tuple[Layer, list[Spelling]]:
    """The layer, or what is left of it once the API has words for it, and the legal wordings."""
    plain = layer.replace(groups=1, padding=0, output_padding=0)
    undilated = plain.replace(dilation=1)
    for asked in (layer, layer.replace(groups=1), plain, undilated, undilated.replace(stride=1)):
        candidates = api.candidates(asked, input_size)
        if legal := [found for found in candidates if isinstance(api.resolve(found, input_size), Resolved)]:
            return asked, legal
    return undilated, []


def with_vocabulary(apis: Sequence[Api]) -> list[Api]:
    """Those of the APIs that declare words of their own.

    Raises:
        InvalidArgument: an entry that is no ``Api``.
    """
    if isinstance(apis, (str, Api)):
        raise InvalidArgument(f"apis={apis!r}: must be a list of Api instances")
    for api in apis:
        if not isinstance(api, Api):
            raise InvalidArgument(f"apis has {api!r}: must be an Api instance")
    return [api for api in apis if api.has_vocabulary]


def check_vocabulary(name: str, api: object) -> None:
    """Refuse what has no vocabulary to draw from."""
    if not isinstance(api, Api):
        raise InvalidArgument(f"{name}={api!r}: must be an Api instance")
    if not api.has_vocabulary:
        raise InvalidArgument(f"{name}={api.name}: declares no parameters, so it has no spellings")


def check_apis(apis: Sequence[Api]) -> list[Api]:
    """The APIs as a list: at least one, each with a vocabulary."""
    if not (listed := [*with_vocabulary(apis), *apis]):
        raise InvalidArgument(f"apis={apis!r}: must have at least one Api")
    for api in listed:
        check_vocabulary("api", api)
    return list(apis)


def _filled(draw: DrawFn, api: Api, layer: Layer, input_size: Size) -> Spelling:
    """Every argument from its role and domain; the output size last, for it depends on the padding."""
    asked = Asked(layer, input_size)
    written: dict[str, Argument] = {}
    for parameter in sorted(api.parameters, key=lambda parameter: parameter.role is Role.OUTPUT_SIZE):
        domain = draw_domain(draw, parameter)
        if not isinstance(domain, Absent):
            written[parameter.name] = draw_argument(draw, parameter, domain, asked)
        if parameter.role is Role.PADDING:
            asked = asked._replace(padding=written.get(parameter.name))
    return Spelling(api.name, {p.name: written[p.name] for p in api.parameters if p.name in written})


def _suited(layer: Layer, input_size: Size) -> Layer:
    """The layer without padding where this input is too small for it, and with channels that fit."""
    if any(n < least for n, least in zip(input_size, least_input_size(layer), strict=True)):
        layer = layer.replace(padding=0, output_padding=0)
    return fit_without_groups(fit_layer(layer, input_size), input_size)


_FILLED = 4
_WORDING = Table("wording", {0: 5, 1: 3, 2: 1, 3: 1, _FILLED: 10})
