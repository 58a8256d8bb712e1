"""A cluster in this process: what the engine asks of Ray, with workers that are lost when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause):
        super().__init__(str(cause))
        self.cause = cause


@dataclass(eq=False)
class Reference:
    """What will be known; `do` is called by the first who waits for it."""

    do: Callable[[], Any]
    actor: Actor | None = None
    value: Any = None
    error: Exception | None = None
    known: bool = False


@dataclass(eq=False)
class Actor:
    """number: from 0, in the order of starting. lost: gone, be it that it was given back; was_lost: before that."""

    number: int
    made: Any
    calls: list[Reference] = field(default_factory=list)
    lost: bool = False
    was_lost: bool = False


class FakeRay:
    """cores: of the cluster. loses: called with an actor's number and each parcel that it begins, says whether it is
    lost then. most: parcels on their way at any time."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, cores, loses=lambda actor, parcel: False):
        self.cores, self.loses = cores, loses
        self.actors: list[Actor] = []
        self.most = 0

    def is_initialized(self):
        return True

    def cluster_resources(self):
        return {"CPU": float(self.cores)}

    def put(self, value):
        return Reference(lambda: value, value=value, known=True)

    def remote(self, kind):
        def start():
            actor = Actor(len(self.actors), kind())
            self.actors.append(actor)
            return _Handle(self, actor)

        made = SimpleNamespace(remote=start)
        made.options = lambda **_: made
        return made

    def wait(self, references, timeout, num_returns=1):
        while sum(each.known for each in references) < num_returns:
            # The last worker first, each in the order of its calls.
            actor = max((each.actor for each in references if not each.known), key=lambda each: each.number)
            self._do(next(each for each in actor.calls if not each.known))
        return [each for each in references if each.known][:num_returns], []

    def get(self, reference):
        if reference.error is not None:
            raise reference.error
        return reference.value

    def kill(self, handle):
        self._lose(handle.actor)

    def _lose(self, actor):
        actor.lost = True
        for each in actor.calls:
            if not each.known:
                each.error, each.known = RayError("the actor died"), True

    def _do(self, reference):
        try:
            reference.value = reference.do()
        except RayError:
            reference.actor.was_lost = True
            self._lose(reference.actor)
        except Exception as error:
            reference.error = RayTaskError(error)
        reference.known = True


class _Handle:
    def __init__(self, ray, actor):
        self.ray, self.actor = ray, actor

    def __getattr__(self, name):
        return SimpleNamespace(remote=lambda *arguments, **options: self._call(name, arguments, options))

    def _call(self, name, arguments, options):
        ray, actor = self.ray, self.actor
        given = [each.value if isinstance(each, Reference) else each for each in arguments]

        def do():
            if name == "work" and ray.loses(actor.number, given[0]):
                raise RayError("lost")
            return vars(type(actor.made))[name](actor.made, *given, **options)

        reference = Reference(do, actor)
        actor.calls.append(reference)
        if actor.lost:
            ray._lose(actor)
        open_calls = [each for one in ray.actors for each in one.calls if not each.known]
        ray.most = max(ray.most, len(open_calls))
        return reference
