"""The sales-operations functions in the Python package `datafusion`, without a server.

    import runrate
    from datafusion import SessionContext

    context = SessionContext()
    runrate.register_all(context, "librunrate_plugin.so")
    context.sql("SELECT lead_score(80, 60)").show()
"""

import ctypes

from datafusion import udaf, udf


class _Exported:
    """What the package takes: an object that gives a capsule."""

    def __init__(self, capsule):
        self._capsule = capsule

    def __datafusion_scalar_udf__(self, *_):
        return self._capsule


class _ExportedAggregate:
    def __init__(self, capsule):
        self._capsule = capsule

    def __datafusion_aggregate_udf__(self, *_):
        return self._capsule


def functions(path):
    """Every function of the library at `path`: pairs of a name and what `datafusion` registers."""
    library = ctypes.CDLL(path)
    library.runrate_function_count.restype = ctypes.c_size_t
    library.runrate_interface_version.restype = ctypes.c_uint64
    library.runrate_function_name.restype = ctypes.c_char_p
    library.runrate_function_name.argtypes = [ctypes.c_size_t]
    for name in ("runrate_scalar_udf", "runrate_aggregate_udf"):
        getattr(library, name).restype = ctypes.c_void_p
        getattr(library, name).argtypes = [ctypes.c_size_t]
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype = ctypes.py_object
    capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    for place in range(library.runrate_function_count()):
        name = library.runrate_function_name(place).decode()
        pointer = library.runrate_scalar_udf(place)
        if pointer:
            yield name, udf(_Exported(capsule(pointer, b"datafusion_scalar_udf", None)))
            continue
        pointer = library.runrate_aggregate_udf(place)
        yield name, udaf(_ExportedAggregate(capsule(pointer, b"datafusion_aggregate_udf", None)))


def register_all(context, path):
    """Registers every function of the library at `path` and gives their names."""
    names = []
    for name, function in functions(path):
        is_scalar = type(function).__name__ == "ScalarUDF"
        (context.register_udf if is_scalar else context.register_udaf)(function)
        names.append(name)
    return names
