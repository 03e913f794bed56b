"""The base of the kinds of stages: what the rest of the program asks of a stage."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pipeline.config.form import StageForm, fields_of
from pipeline.config.section import Section
from pipeline.config.stages.facts import Earlier, Labels, ModelFacts, ModelUse

if TYPE_CHECKING:
    from plugins.stage import Stage


class StageKind(Section):
    """One stage of a camera. The first field of a kind is the key that names it.

    Attributes:
        title: the kind's name in a form.
        placeholder: what stands behind the key in messages.
        example: a stage of the kind, for documents.
        option: the option of the command line that names a stage of the kind; empty without one.
        refused_over_api: why the API takes no stage of the kind, in words; empty where it does.
        hidden: keys that are never shown, as they may hold secrets.
        is_gated: it loses nothing where frames in which nothing moves skip the models, as
            ``gate: auto`` requires.
    """

    title: ClassVar[str]
    placeholder: ClassVar[str]
    example: ClassVar[Mapping[str, Any]]
    option: ClassVar[str] = ""
    refused_over_api: ClassVar[str] = ""
    hidden: ClassVar[frozenset[str]] = frozenset()
    is_gated: ClassVar[bool] = True

    @classmethod
    def key(cls) -> str:
        """Return the key that names a stage of the kind."""
        return next(iter(cls.model_fields))

    @classmethod
    def from_option(cls, text: str) -> dict[str, str]:
        """Return the stage that ``text``, the value of ``option``, names; not checked yet."""
        return {cls.key(): text}

    @classmethod
    def form(cls) -> StageForm:
        """Return what a form needs to show and change a stage of the kind."""
        return StageForm(
            kind=cls.key(),
            title=cls.title,
            words=(cls.__doc__ or "").partition("\n")[0],
            offered=not cls.refused_over_api,
            fields=fields_of(cls),
        )

    @property
    def name(self) -> str:
        """The stage's name where its time is shown."""
        return str(getattr(self, self.key()))

    @abstractmethod
    def launch_text(self, threads: int) -> str:
        """Return the element as launch text; ``threads`` are those of one inference."""

    @abstractmethod
    def make(self, threads: int) -> Stage:
        """Return the plain function that the element calls, for use without GStreamer.

        Raises:
            ValueError, OSError, RuntimeError: something that it names is unknown or does not load.
        """

    def models(self) -> Sequence[ModelUse]:
        """Return the models that it runs: a worker loads them before its cameras start."""
        return ()

    def with_models(self, renamed: Callable[[str], str]) -> Self:
        """Return the stage with another name for each of its models."""
        return self.model_copy(update={use.key: renamed(use.name) for use in self.models()})

    @property
    def happens(self) -> Mapping[str, Any] | None:
        """Options of ``mirevents``, which stands behind stages of which events come; None of a
        stage of which none come.
        """
        return None

    @property
    def check_s(self) -> float | None:
        """Seconds after which it must see an object that does not move again; None: never."""
        return None

    @property
    def parts(self) -> Mapping[str, str]:
        """Its keys for looking at parts of the frame at full resolution, with their values."""
        return {}

    @property
    def most_tracked(self) -> int:
        """Maximum frames in a row that skip the models while only objects that it tracks move."""
        return 0

    @property
    def live(self) -> Mapping[str, str]:
        """The settings that the stage takes in while it runs, by the name that it reads them by."""
        return {}

    def fixed(self) -> Self:
        """Return the stage without those settings: another one needs another graph."""
        return self

    def labels_found(self, facts: Mapping[str, ModelFacts]) -> Labels | None:
        """Return the classes that it finds; None where it may find any.

        Args:
            facts: of its models, by name.
        """
        return Labels()

    def check(
        self,
        here: str,
        earlier: Earlier,
        facts: Mapping[str, ModelFacts],
    ) -> Iterator[str]:
        """Yield a line for each mistake that follows from its models and from earlier stages.

        Args:
            here: path of the stage, such as ``cameras.gate.stages[0]``.
            earlier: what the stages before it find.
            facts: of its models, by name.
        """
        yield from ()

    def check_here(self, here: str) -> Iterator[str]:
        """Yield a line for each thing that it names and that this machine lacks."""
        yield from ()
