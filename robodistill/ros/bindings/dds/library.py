"""The C functions of Cyclone DDS that the Python binding lacks, or that must not hold the interpreter's lock."""

import ctypes as ct
import itertools

from cyclonedds.core import Entity, InstanceState, SampleState, ViewState
from cyclonedds.internal import DDS

lib = DDS._dll_handle
ANY = SampleState.Any | ViewState.Any | InstanceState.Any
_NOT_READ = SampleState.NotRead | ViewState.Any | InstanceState.Any
INFINITE = 2**63 - 1


class DdsError(RuntimeError):
    """A call of the DDS library failed."""


def _bind(name: str, *arguments: type) -> "ct._FuncPointer":
    function = getattr(lib, name)
    function.restype, function.argtypes = ct.c_int32, arguments
    return function


_entity, _duration = ct.c_int32, ct.c_int64
_write = _bind("dds_write", _entity, ct.c_void_p)
_delete = _bind("dds_delete", _entity)
_create_waitset = _bind("dds_create_waitset", _entity)
_attach = _bind("dds_waitset_attach", _entity, _entity, ct.c_ssize_t)
_detach = _bind("dds_waitset_detach", _entity, _entity)
_wait = _bind("dds_waitset_wait", _entity, ct.c_void_p, ct.c_size_t, _duration)
_create_condition = _bind("dds_create_readcondition", _entity, ct.c_uint32)
_create_guard = _bind("dds_create_guardcondition", _entity)
_set_guard = _bind("dds_set_guardcondition", _entity, ct.c_bool)


class _Sample(ct.Structure):
    _fields_ = [("data", ct.c_char_p), ("size", ct.c_size_t)]


def checked(result: int, what: str) -> int:
    """A handle or count; negative ones are errors."""
    if result < 0:
        raise DdsError(f"Cyclone DDS could not {what} (code {result})")
    return result


def write(writer: int, data: bytes) -> None:
    """Send CDR bytes with their header.

    The binding's own call holds the interpreter's lock: a reliable reader that hangs would stop every thread.
    """
    checked(_write(writer, ct.byref(_Sample(data, len(data)))), "write")


def delete(entity: Entity) -> None:
    """Delete now, not when the last Python reference goes."""
    Entity._entities.pop(entity._ref, None)
    _delete(entity._ref)


def read_condition(reader: Entity) -> int:
    """True while there is something to take."""
    return checked(_create_condition(reader._ref, _NOT_READ), "make a read condition")


class Waitset:
    """Waits for several conditions at once, without the interpreter's lock. One thread waits, any may change it."""

    def __init__(self, participant: Entity) -> None:
        self._ref = checked(_create_waitset(participant._ref), "make a waitset")
        self._guard = checked(_create_guard(participant._ref), "make a guard condition")
        self._keys: dict[int, object] = {0: None}
        self._numbers = itertools.count(1)
        self._attached: dict[int, int] = {}
        self._attach(self._guard, 0)

    def add(self, condition: int, key: object) -> None:
        """`wait` returns `key` while the condition is true."""
        if condition in self._attached:
            return
        number = next(self._numbers)
        self._keys[number] = key
        self._attached[condition] = number
        self._attach(condition, number)

    def remove(self, condition: int) -> None:
        """Wait for it no more; it may be gone already."""
        number = self._attached.pop(condition, None)
        if number is not None:
            self._keys.pop(number, None)
            _detach(self._ref, condition)

    def wait(self, seconds: float | None) -> list:
        """Keys of true conditions; none after `seconds`, or when woken."""
        slots = (ct.c_ssize_t * (len(self._keys) + 8))()
        timeout = INFINITE if seconds is None else max(0, int(seconds * 1e9))
        count = checked(_wait(self._ref, slots, len(slots), timeout), "wait")
        found = [slots[k] for k in range(min(count, len(slots)))]
        if 0 in found:
            _set_guard(self._guard, False)
        return [self._keys[number] for number in found if number and number in self._keys]

    def wake(self) -> None:
        """End a wait."""
        _set_guard(self._guard, True)

    def close(self) -> None:
        """Give it back."""
        _delete(self._ref)
        _delete(self._guard)

    def _attach(self, condition: int, number: int) -> None:
        checked(_attach(self._ref, condition, number), "attach a condition")
