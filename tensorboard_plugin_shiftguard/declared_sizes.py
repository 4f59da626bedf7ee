"""Tensors that declare more values than they hold, removed before TensorBoard expands them.

A tensor of a hundred bytes can declare any number of values, all equal. TensorBoard creates an
array of the declared size when it reads the tensor, in its data provider. A provider has no public
way to see a tensor before that. So `checked` puts itself between a provider and its source: the
`EventMultiplexer` of the Python reader, or the gRPC stub of the data server. A provider of another
kind is left as it is.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from math import prod
from typing import Any

from tensorboard.compat.proto import tensor_pb2, tensor_shape_pb2
from tensorboard.data import provider


def checked(data: provider.DataProvider) -> provider.DataProvider:
    """Returns a copy of a data provider that reads an empty tensor for each oversized one."""
    data = copy(data)
    for attribute, source in (("_multiplexer", _Multiplexer), ("_stub", _Stub)):
        if hasattr(data, attribute):
            setattr(data, attribute, source(getattr(data, attribute)))
    return data


def is_oversized(tensor: Any) -> bool:
    """Whether a `TensorProto` declares more values than it has bytes.

    Every value that is written out takes at least one byte. The writer of this package writes all
    values out.
    """
    return bool(prod(abs(dim.size) for dim in tensor.tensor_shape.dim) > tensor.ByteSize())


def _empty(dtype: int) -> Any:
    """Returns a `TensorProto` without values, which no series of the plugin has."""
    dim = tensor_shape_pb2.TensorShapeProto.Dim(size=0)
    shape = tensor_shape_pb2.TensorShapeProto(dim=[dim])
    return tensor_pb2.TensorProto(dtype=dtype, tensor_shape=shape)


class _Source:
    """A source of a data provider; everything but the tensors is passed on unchanged."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


class _Multiplexer(_Source):
    """An `EventMultiplexer` without oversized tensors."""

    def Tensors(self, run: str, tag: str) -> list[Any]:
        return [
            replace(event, tensor_proto=_empty(event.tensor_proto.dtype))
            if is_oversized(event.tensor_proto)
            else event
            for event in self._source.Tensors(run, tag)
        ]


class _Stub(_Source):
    """A stub of the data server without oversized tensors."""

    def ReadTensors(self, request: Any) -> Any:
        response = self._source.ReadTensors(request)
        for tensor in _tensors_in(response):
            if is_oversized(tensor):
                tensor.CopyFrom(_empty(tensor.dtype))
        return response


def _tensors_in(response: Any) -> Iterator[Any]:
    for run in response.runs:
        for tag in run.tags:
            yield from tag.data.value
