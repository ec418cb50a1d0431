"""Dataclasses that cost nothing until they are used: the standard library's to a reader, other code at run time.

The analyser declares some ninety and makes hundreds of thousands of them. The standard library compiles six methods for
each class while it is imported, half of all that an import of the analyser costs, and stores each field of a frozen
one through `object.__setattr__`, which takes three times as long as an assignment (docs/adr/0025). Here the methods
are compiled when the first object is made, and fields are assigned. That nobody changes a frozen one is the type
checker's to say: it reads the standard library's declarations.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Final, get_origin

__all__ = ["dataclass", "field", "replace"]

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    _MISSING: Final = object()
    _COMPARISONS: Final = {"__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}

    class _Field:
        """What a declaration says of one field."""

        __slots__ = ("compare", "default", "default_factory", "init", "repr")

        def __init__(self, default, default_factory, *, init, repr, compare):  # noqa: A002 - the library's names
            self.default = default
            self.default_factory = default_factory
            self.init = init
            self.repr = repr
            self.compare = compare

    class _LibraryFields:
        """For `dataclasses.replace`, `fields`, `asdict`: the fields as the standard library describes them."""

        def __get__(self, instance, cls):
            import dataclasses  # noqa: PLC0415 - who asks has loaded it; it loads `inspect`, which costs as much as we do

            described = []
            for name, each in cls.__record__.items():
                shown = {"init": each.init, "repr": each.repr, "compare": each.compare}
                if each.default_factory is not _MISSING:
                    shown["default_factory"] = each.default_factory
                elif each.default is not _MISSING:
                    shown["default"] = each.default
                described.append((name, Any, dataclasses.field(kw_only=True, **shown)))
            return dataclasses.make_dataclass(cls.__name__, described).__dataclass_fields__

    def field(*, default=_MISSING, default_factory=_MISSING, init=True, repr=True, compare=True):  # noqa: A002
        """A field that is more than a type and a default."""
        return _Field(default, default_factory, init=init, repr=repr, compare=compare)

    def dataclass(*, frozen=False, slots=False, eq=True, order=False):
        """The class with slots and the methods of its fields."""
        if not slots:
            raise TypeError("a record has slots: say slots=True")
        return lambda cls: _record(cls, frozen=frozen, eq=eq, order=order)

    def replace(record, /, **changes):
        """The record with some fields changed."""
        for name, each in record.__record__.items():
            if each.init and name not in changes:
                changes[name] = getattr(record, name)
        return type(record)(**changes)

    def _record(cls, *, frozen, eq, order):
        fields = dict(getattr(cls, "__record__", {}))
        inherited = set(fields)
        body = dict(cls.__dict__)
        for name, kind in body.get("__annotations__", {}).items():
            if get_origin(kind) is ClassVar:
                continue
            default = body.pop(name, _MISSING)
            plain = not isinstance(default, _Field)
            fields[name] = _Field(default, _MISSING, init=True, repr=True, compare=True) if plain else default
        body.pop("__dict__", None)
        body.pop("__weakref__", None)
        body["__slots__"] = tuple(name for name in fields if name not in inherited)
        body["__record__"] = fields
        body["__dataclass_fields__"] = _LibraryFields()
        body["__match_args__"] = tuple(name for name, each in fields.items() if each.init)
        body.setdefault("__repr__", _shown)
        wanted = ["__init__"]
        if eq:
            wanted += [name for name in ("__eq__", "__hash__") if name not in body]
            if "__hash__" in wanted and not frozen:
                wanted.remove("__hash__")
                body["__hash__"] = None
        if order:
            wanted += _COMPARISONS
        made = type(cls)(cls.__name__, cls.__bases__, body)
        made.__qualname__ = cls.__qualname__
        for name in wanted:
            setattr(made, name, _unwritten(made, name, wanted))
        return made

    def _unwritten(cls, name, wanted):
        """A method that has all of the class's methods written when one is called, then hands over to its own."""

        def method(self, *args, **named):
            _write(cls, wanted)
            return getattr(cls, name)(self, *args, **named)

        return method

    def _shown(self):
        shown = (f"{name}={getattr(self, name)!r}" for name, each in self.__record__.items() if each.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def _write(cls, wanted):
        """Compile the wanted methods of a class, all in one."""
        fields = cls.__record__
        known = {"MISSING": _MISSING}
        parameters, lines = ["self"], []
        for name, each in fields.items():
            value = name
            if each.default_factory is not _MISSING:
                known[f"make_{name}"] = each.default_factory
                value = f"make_{name}() if {name} is MISSING else {name}" if each.init else f"make_{name}()"
                parameters += [f"{name}=MISSING"] if each.init else []
            elif each.default is not _MISSING:
                known[f"default_{name}"] = each.default
                value = name if each.init else f"default_{name}"
                parameters += [f"{name}=default_{name}"] if each.init else []
            elif each.init:
                parameters.append(name)
            else:
                continue  # __post_init__ gives it its value
            lines.append(f"self.{name} = {value}")
        if hasattr(cls, "__post_init__"):
            lines.append("self.__post_init__()")
        compared = [name for name, each in fields.items() if each.compare]
        same = " and ".join(f"self.{name} == other.{name}" for name in compared) or "True"
        ours, theirs = (f"({''.join(f'{of}.{name}, ' for name in compared)})" for of in ("self", "other"))
        alike = "if other.__class__ is not self.__class__: return NotImplemented"
        source = {
            "__init__": f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines or ["pass"]),
            "__eq__": f"def __eq__(self, other):\n if self is other: return True\n {alike}\n return {same}",
            "__hash__": f"def __hash__(self): return hash({f'self.{compared[0]}' if len(compared) == 1 else ours})",
            **{
                name: f"def {name}(self, other):\n {alike}\n return {ours} {sign} {theirs}"
                for name, sign in _COMPARISONS.items()
            },
        }
        written = {}
        exec(  # noqa: S102 - names and nothing else of ours, as the standard library does
            compile("\n".join(source[name] for name in wanted), f"<record {cls.__qualname__}>", "exec"), known, written
        )
        for name in wanted:
            setattr(cls, name, written[name])
