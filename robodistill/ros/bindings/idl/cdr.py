"""Messages to bytes and back: XCDR1, little endian, as DDS and ROS 2 send them (OMG DDS-XTypes 1.3, section 7.4.1).

A codec is put together once a structure. Arrays of numbers are copied as a block; any buffer, numpy array or list is
taken for them, and `array.array` (numpy for fixed sizes) comes back, as from rclpy. Big endian can be read.
"""

import array
import struct
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from robodistill.ros.bindings.idl.spec import NUMBERS, FieldType, MessageSpec

HEADER = b"\x00\x01\x00\x00"
"""XCDR1, little endian, no options."""
_BYTE_LIKE = ("uint8", "byte", "char")
_assembled: dict[str, "Codec"] = {}


class BadMessage(ValueError):
    """A message cannot be written, or bytes are no message of that type."""


class Writer:
    """Bytes that are being written; positions count from after the header."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data = bytearray()

    def align(self, size: int) -> None:
        """Fill up with zeros to a multiple of `size`."""
        rest = len(self.data) % size
        if rest:
            self.data += bytes(size - rest)


class Reader:
    """Bytes that are being read."""

    __slots__ = ("data", "at", "order")

    def __init__(self, data: memoryview, order: str) -> None:
        self.data, self.at, self.order = data, 0, order

    def align(self, size: int) -> None:
        """Skip to a multiple of `size`."""
        self.at += -self.at % size

    def take(self, size: int) -> memoryview:
        """The next bytes."""
        end = self.at + size
        if end > len(self.data):
            raise BadMessage(f"{len(self.data)} bytes end before byte {end}")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def count(self, least: int) -> int:
        """A length; refused where what is left cannot hold that many elements of `least` bytes."""
        self.align(4)
        (count,) = struct.unpack(self.order + "I", self.take(4))
        if count * least > len(self.data) - self.at:
            raise BadMessage(f"{count} elements do not fit into the {len(self.data) - self.at} bytes that are left")
        return count


Write = Callable[[Writer, Any], None]
Read = Callable[[Reader], Any]


class Codec:
    """Encoder and decoder of one structure."""

    def __init__(self, spec: MessageSpec, cls: type, codec_of: Callable[[str], "Codec"]) -> None:
        self.name, self._cls = spec.name, cls
        self._codec_of = codec_of
        # an interface without fields has one that its class does not show
        self._fields = [(f.name, *self._pair(f.type)) for f in spec.fields]

    def encode(self, message: Any, prefix: bytes = b"") -> bytes:
        """Header, `prefix`, which is aligned to 8, and the fields; padded to 4.

        Raises:
            BadMessage: A value does not fit its field.
        """
        out = Writer()
        out.data += prefix
        self.write(out, message)
        out.align(4)
        return HEADER + out.data

    def decode(self, data: bytes, skip: int = 0) -> Any:
        """A message from bytes with their header, leaving out `skip` bytes after it.

        Raises:
            BadMessage: Too short, or another representation.
        """
        if len(data) < 4 or data[0] != 0 or data[1] > 1:
            raise BadMessage(f"{bytes(data[:4]).hex()} does not begin XCDR1 data")
        reader = Reader(memoryview(data)[4:], "<" if data[1] else ">")
        reader.take(skip)
        try:
            return self.read(reader)
        except (struct.error, UnicodeDecodeError) as error:
            raise BadMessage(f"not a {self.name}: {error}") from None

    def write(self, out: Writer, message: Any) -> None:
        """Append the fields."""
        if not self._fields:
            out.data.append(0)
        for name, write, _ in self._fields:
            try:
                write(out, getattr(message, name))
            except BadMessage as error:
                raise BadMessage(f"{self.name}.{name}: {error}") from None
            except (struct.error, TypeError, ValueError, OverflowError, AttributeError) as error:
                value = repr(getattr(message, name, None))
                raise BadMessage(f"{self.name}.{name}: {value[:80]}: {error}") from None

    def read(self, reader: Reader) -> Any:
        """Take the fields."""
        message = self._cls.__new__(self._cls)
        if not self._fields:
            reader.take(1)
        for name, _, read in self._fields:
            setattr(message, name, read(reader))
        return message

    def _pair(self, kind: FieldType) -> tuple[Write, Read]:
        if not kind.array:
            return self._single(kind)
        if kind.base in NUMBERS:
            return _numbers(kind)
        write, read = self._single(kind.element)
        fixed, limit = kind.array == "fixed", kind.size

        def write_all(out: Writer, values: Any) -> None:
            _check_count(len(values), kind)
            if not fixed:
                out.align(4)
                out.data += struct.pack("<I", len(values))
            for value in values:
                write(out, value)

        def read_all(reader: Reader) -> list:
            return [read(reader) for _ in range(limit if fixed else reader.count(1))]

        return write_all, read_all

    def _single(self, kind: FieldType) -> tuple[Write, Read]:
        if kind.base in NUMBERS:
            return _number(kind)
        if kind.base == "string":
            return _write_text, _read_text
        if kind.base == "wstring":
            return _write_wide, _read_wide
        inner = self._codec_of(kind.base)
        return inner.write, inner.read


def _number(kind: FieldType) -> tuple[Write, Read]:
    letter = NUMBERS[kind.base]
    size = struct.calcsize("<" + letter)
    packers = {order: struct.Struct(order + letter) for order in "<>"}
    pack = packers["<"].pack
    convert = {"f": float, "d": float, "?": bool}.get(letter, int)
    if kind.base == "byte":
        convert = lambda value: bytes([value])  # noqa: E731  rclpy's form of a byte

    def write(out: Writer, value: Any) -> None:
        if kind.base in _BYTE_LIKE and isinstance(value, bytes):  # a byte of rclpy's
            value = value[0]
        rest = len(out.data) % size
        if rest:
            out.data += bytes(size - rest)
        out.data += pack(value)

    def read(reader: Reader) -> Any:
        at = reader.at + (-reader.at % size)
        reader.at = at + size
        return convert(packers[reader.order].unpack_from(reader.data, at)[0])

    return write, read


def _numbers(kind: FieldType) -> tuple[Write, Read]:
    letter, fixed = NUMBERS[kind.base], kind.array == "fixed"
    dtype = np.dtype("<" + letter)
    size = dtype.itemsize

    def write(out: Writer, values: Any) -> None:
        block = _block(values, dtype, kind)
        _check_count(len(block) // size, kind)
        if not fixed:
            out.align(4)
            out.data += struct.pack("<I", len(block) // size)
        if len(block):
            out.align(size)
            out.data += block

    def read(reader: Reader) -> Any:
        count = kind.size if fixed else reader.count(size)
        if count:
            reader.align(size)
        piece = reader.take(count * size)
        if fixed:
            return np.frombuffer(piece, dtype.newbyteorder(reader.order)).astype(dtype.newbyteorder("="))
        if letter == "?":
            return [bool(value) for value in piece]
        values = array.array(letter)
        values.frombytes(piece)
        if (reader.order == "<") != (sys.byteorder == "little"):
            values.byteswap()
        return values

    return write, read


def _block(values: Any, dtype: np.dtype, kind: FieldType) -> memoryview | bytes:
    """The bytes of numbers in any form."""
    if dtype.itemsize == 1 and isinstance(values, bytes | bytearray | memoryview):
        return memoryview(values).cast("B") if isinstance(values, memoryview) else values
    if isinstance(values, str):
        raise BadMessage(f"text was given for {kind}")
    found = np.asarray(values if isinstance(values, np.ndarray | array.array | list | tuple) else list(values))
    if found.ndim != 1:
        raise BadMessage(f"{kind} needs one dimension, got shape {found.shape}")
    if not found.size:
        return b""
    if found.dtype != dtype:
        allowed = {"f": "iufb", "?": "b"}.get("f" if dtype.kind == "f" else dtype.char, "iub")
        if found.dtype.kind not in allowed:
            raise BadMessage(f"{kind} cannot be made of {found.dtype}")
        cast = found.astype(dtype)
        if dtype.kind in "iu" and (cast != found).any():
            raise BadMessage(f"a number does not fit {kind}")
        found = cast
    return memoryview(np.ascontiguousarray(found)).cast("B")


def _check_count(count: int, kind: FieldType) -> None:
    if (kind.array == "fixed" and count != kind.size) or (kind.array == "bounded" and count > kind.size):
        raise BadMessage(f"{count} elements for {kind}")


def _write_text(out: Writer, value: str) -> None:
    if not isinstance(value, str):
        raise BadMessage(f"text is needed, got {type(value).__name__} {value!r:.60}")
    data = value.encode() + b"\0"
    out.align(4)
    out.data += struct.pack("<I", len(data))
    out.data += data


def _read_text(reader: Reader) -> str:
    return bytes(reader.take(reader.count(1))).rstrip(b"\0").decode()


def _write_wide(out: Writer, value: str) -> None:
    data = value.encode("utf-16-le")
    out.align(4)
    out.data += struct.pack("<I", len(data) // 2)
    out.data += data


def _read_wide(reader: Reader) -> str:
    return bytes(reader.take(2 * reader.count(2))).decode("utf-16-le" if reader.order == "<" else "utf-16-be")
