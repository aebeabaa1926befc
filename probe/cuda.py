"""The CUDA driver through ctypes: as much of it as the probe needs, and nothing that changes a setting.

libcuda.so.1 comes with the driver, so neither a CUDA toolkit nor a compiler nor a Python package is needed.
Numbers of attributes and flags are those of cuda.h (CUDA 9 and later; they do not change).
"""
import ctypes
import os
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_size_t, c_uint, c_uint8, c_uint32, c_uint64, c_void_p

SM_COUNT, EXEC_TIMEOUT, COMPUTE_MODE, MAJOR, MINOR, SHARED_OPTIN = 16, 17, 20, 75, 76, 97
SCHED_SPIN = 1             # CU_CTX_SCHED_SPIN: a wait polls, so that no wake-up is measured
STREAM_NON_BLOCKING = 1
EVENT_DISABLE_TIMING = 2
DYNAMIC_SHARED = 8         # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
NOT_READY = 600
JIT_ERROR_LOG, JIT_ERROR_LOG_BYTES = 5, 6

device_pointer = c_uint64

SIGNATURES = {
    "cuInit": [c_uint],
    "cuDriverGetVersion": [POINTER(c_int)],
    "cuDeviceGetCount": [POINTER(c_int)],
    "cuDeviceGet": [POINTER(c_int), c_int],
    "cuDeviceGetName": [c_char_p, c_int, c_int],
    "cuDeviceGetAttribute": [POINTER(c_int), c_int, c_int],
    "cuDeviceGetPCIBusId": [c_char_p, c_int, c_int],
    "cuDeviceTotalMem_v2": [POINTER(c_size_t), c_int],
    "cuDevicePrimaryCtxSetFlags_v2": [c_int, c_uint],
    "cuDevicePrimaryCtxRetain": [POINTER(c_void_p), c_int],
    "cuCtxSetCurrent": [c_void_p],
    "cuModuleLoadDataEx": [POINTER(c_void_p), c_char_p, c_uint, POINTER(c_int), POINTER(c_void_p)],
    "cuModuleGetFunction": [POINTER(c_void_p), c_void_p, c_char_p],
    "cuFuncSetAttribute": [c_void_p, c_int, c_int],
    "cuMemAlloc_v2": [POINTER(device_pointer), c_size_t],
    "cuMemFree_v2": [device_pointer],
    "cuMemHostAlloc": [POINTER(c_void_p), c_size_t, c_uint],
    "cuMemFreeHost": [c_void_p],
    "cuMemsetD8Async": [device_pointer, c_uint8, c_size_t, c_void_p],
    "cuMemcpyDtoH_v2": [c_void_p, device_pointer, c_size_t],
    "cuMemcpyHtoDAsync_v2": [device_pointer, c_void_p, c_size_t, c_void_p],
    "cuMemcpyDtoHAsync_v2": [c_void_p, device_pointer, c_size_t, c_void_p],
    "cuStreamCreate": [POINTER(c_void_p), c_uint],
    "cuStreamSynchronize": [c_void_p],
    "cuEventCreate": [POINTER(c_void_p), c_uint],
    "cuEventRecord": [c_void_p, c_void_p],
    "cuEventQuery": [c_void_p],
    "cuEventSynchronize": [c_void_p],
    "cuLaunchKernel": [c_void_p] + [c_uint] * 7 + [c_void_p, POINTER(c_void_p), POINTER(c_void_p)],
    "cuGetErrorName": [c_int, POINTER(c_char_p)],
}

OLDER = {"cuDevicePrimaryCtxSetFlags_v2": "cuDevicePrimaryCtxSetFlags"}


class CudaError(Exception):
    pass


class Driver:
    """The driver's library. Every call raises where it returns an error."""

    def __init__(self, path=None):
        path = path or os.environ.get("PROBE_LIBCUDA", "libcuda.so.1")
        try:
            self.library = ctypes.CDLL(path)
        except OSError as error:
            raise CudaError("no CUDA driver: %s cannot be loaded (%s)" % (path, error))
        for name, arguments in SIGNATURES.items():
            # Drivers before 450 have the older name of one of them, with the same arguments.
            function = getattr(self.library, name, None) or getattr(self.library, OLDER.get(name, name), None)
            if function is None:
                raise CudaError("the CUDA driver is too old: it has no %s" % name)
            function.argtypes, function.restype = arguments, c_int
            setattr(self, name, function if name == "cuEventQuery" else self.checked(name, function))
        self.cuInit(0)

    def checked(self, name, function):
        def call(*arguments):
            code = function(*arguments)
            if code:
                raise CudaError("%s: %s" % (name, self.error(code)))
        return call

    def error(self, code):
        text = c_char_p()
        self.library.cuGetErrorName(code, byref(text))
        return text.value.decode() if text.value else "error %d" % code

    def version(self):
        found = c_int()
        self.cuDriverGetVersion(byref(found))
        return "%d.%d" % (found.value // 1000, found.value % 1000 // 10)


class Gpu:
    """The first visible GPU (CUDA_VISIBLE_DEVICES says which), its kernels and one stream."""

    def __init__(self, text, driver=None):
        self.cuda = cuda = driver or Driver()
        count, self.device = c_int(), c_int()
        cuda.cuDeviceGetCount(byref(count))
        if not count.value:
            raise CudaError("no GPU is visible to CUDA (CUDA_VISIBLE_DEVICES, permissions of /dev/nvidia*)")
        cuda.cuDeviceGet(byref(self.device), 0)
        context = c_void_p()
        cuda.cuDevicePrimaryCtxSetFlags_v2(self.device, SCHED_SPIN)
        cuda.cuDevicePrimaryCtxRetain(byref(context), self.device)
        cuda.cuCtxSetCurrent(context)
        self.sms, self.shared = self.attribute(SM_COUNT), self.attribute(SHARED_OPTIN)
        self.stream = c_void_p()
        cuda.cuStreamCreate(byref(self.stream), STREAM_NON_BLOCKING)
        self.module = self.load(text)
        self.functions = {}

    def attribute(self, which):
        found = c_int()
        self.cuda.cuDeviceGetAttribute(byref(found), which, self.device)
        return found.value

    def name(self):
        text = ctypes.create_string_buffer(256)
        self.cuda.cuDeviceGetName(text, len(text), self.device)
        return text.value.decode(errors="replace")

    def bus(self):
        """The card's place on the bus, by which NVML finds it; not its name for life."""
        text = ctypes.create_string_buffer(64)
        self.cuda.cuDeviceGetPCIBusId(text, len(text), self.device)
        return text.value.decode(errors="replace")

    def memory(self):
        found = c_size_t()
        self.cuda.cuDeviceTotalMem_v2(byref(found), self.device)
        return found.value

    def load(self, text):
        """The driver assembles PTX for this GPU; what it complains of is part of the error."""
        log = ctypes.create_string_buffer(4096)
        options = (c_int * 2)(JIT_ERROR_LOG, JIT_ERROR_LOG_BYTES)
        values = (c_void_p * 2)(ctypes.cast(log, c_void_p), c_void_p(len(log)))
        module = c_void_p()
        try:
            self.cuda.cuModuleLoadDataEx(byref(module), text.encode(), 2, options, values)
        except CudaError as error:
            raise CudaError("%s %s" % (error, log.value.decode(errors="replace").strip()))
        return module

    def function(self, name, shared=0):
        """A kernel that may have so much dynamic shared memory."""
        if (name, shared) not in self.functions:
            found = c_void_p()
            self.cuda.cuModuleGetFunction(byref(found), self.module, name.encode())
            if shared:
                self.cuda.cuFuncSetAttribute(found, DYNAMIC_SHARED, shared)
            self.functions[name, shared] = found
        return self.functions[name, shared]

    def prepared(self, name, blocks, threads, shared, arguments):
        """A launch whose arguments are ctypes objects that live on and may be changed between launches."""
        function = self.function(name, shared)
        pointers = (c_void_p * len(arguments))(*[ctypes.cast(byref(one), c_void_p) for one in arguments])
        launch, stream = self.cuda.cuLaunchKernel, self.stream

        def go(_held=arguments):
            launch(function, blocks, 1, 1, threads, 1, 1, shared, stream, pointers, None)
        return go

    def wait(self):
        self.cuda.cuStreamSynchronize(self.stream)

    def event(self):
        found = c_void_p()
        self.cuda.cuEventCreate(byref(found), EVENT_DISABLE_TIMING)
        return found

    def is_done(self, event):
        code = self.cuda.cuEventQuery(event)
        if code not in (0, NOT_READY):
            raise CudaError("a kernel failed: %s" % self.cuda.error(code))
        return code == 0

    def array(self, count, fill=0):
        """Device memory for so many numbers of 64 bits."""
        found = device_pointer()
        self.cuda.cuMemAlloc_v2(byref(found), 8 * count)
        self.fill(found, count, fill)
        return found

    def fill(self, array, count, fill):
        self.cuda.cuMemsetD8Async(array, fill, 8 * count, self.stream)

    def read(self, array, count):
        found = (c_uint64 * count)()
        self.cuda.cuMemcpyDtoH_v2(found, array, 8 * count)
        return list(found)

    def free(self, array):
        self.cuda.cuMemFree_v2(array)

    def pinned(self, size):
        """Host memory that copies need not stage."""
        found = c_void_p()
        self.cuda.cuMemHostAlloc(byref(found), size, 0)
        ctypes.memset(found, 7, size)
        return found
