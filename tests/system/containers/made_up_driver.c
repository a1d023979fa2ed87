// A libcuda.so.1 without a GPU: its memory is the machine's, and a kernel that is launched does nothing. Functions that
// are not here succeed and do nothing; last arguments that do not matter are left out. What a real driver refuses
// without a current context is refused here, and counted.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID_CONTEXT = 201, GPU_BYTES_SHIFT = 34 };
typedef unsigned long long Address;

static long allocated, pinned, streams, launches, without_context;
static long next_handle = 0x10000;
static __thread void *contexts[64];
static __thread int depth;

void made_up_counts(long *counts) {
    const long found[] = {allocated, pinned, streams, launches, without_context};
    memcpy(counts, found, sizeof found);
}

static int refused(void) {
    if (depth > 0) return SUCCESS;
    __sync_fetch_and_add(&without_context, 1);
    return INVALID_CONTEXT;
}

static int make(void **handle) {
    *handle = (void *)__sync_add_and_fetch(&next_handle, 16);
    return SUCCESS;
}

#define REQUIRE_CONTEXT() do { if (refused()) return INVALID_CONTEXT; } while (0)

static int nothing(void) { return SUCCESS; }

int cuDriverGetVersion(int *version) { *version = 13000; return SUCCESS; }
int cuDeviceGetCount(int *count) { *count = 1; return SUCCESS; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return SUCCESS; }
int cuDeviceGetName(char *name, int length) { strncpy(name, "made up", length); return SUCCESS; }
int cuDeviceGetUuid(char *uuid) { memset(uuid, 7, 16); return SUCCESS; }
int cuDeviceTotalMem_v2(size_t *bytes) { *bytes = 1ull << GPU_BYTES_SHIFT; return SUCCESS; }

int cuDeviceGetAttribute(int *value, int attribute) {
    switch (attribute) {
        case 1: *value = 1024; break;   // threads of a block
        case 10: *value = 32; break;    // of a warp
        case 16: *value = 132; break;   // multiprocessors
        case 75: *value = 9; break;     // compute capability, major
        case 76: *value = 0; break;     // minor
        default: *value = 1;
    }
    return SUCCESS;
}

int cuDevicePrimaryCtxRetain(void **context) { *context = (void *)0x1000; return SUCCESS; }
int cuCtxPushCurrent_v2(void *context) { contexts[depth++] = context; return SUCCESS; }
int cuCtxGetCurrent(void **context) { *context = depth ? contexts[depth - 1] : NULL; return SUCCESS; }
int cuCtxGetDevice(int *device) { REQUIRE_CONTEXT(); *device = 0; return SUCCESS; }
int cuCtxSynchronize(void) { return refused(); }

int cuCtxPopCurrent_v2(void **context) {
    REQUIRE_CONTEXT();
    *context = contexts[--depth];
    return SUCCESS;
}

int cuCtxSetCurrent(void *context) {
    if (depth == 0) depth = 1;
    contexts[depth - 1] = context;
    return SUCCESS;
}

int cuMemGetInfo_v2(size_t *free_bytes, size_t *bytes) {
    REQUIRE_CONTEXT();
    *bytes = 1ull << GPU_BYTES_SHIFT;
    *free_bytes = *bytes / 2;
    return SUCCESS;
}

int cuMemAlloc_v2(Address *address, size_t size) {
    REQUIRE_CONTEXT();
    *address = (Address)calloc(1, size);
    __sync_fetch_and_add(&allocated, 1);
    return SUCCESS;
}

int cuMemFree_v2(Address address) {
    REQUIRE_CONTEXT();
    free((void *)address);
    __sync_fetch_and_sub(&allocated, 1);
    return SUCCESS;
}

int cuMemHostAlloc(void **address, size_t size) {
    REQUIRE_CONTEXT();
    *address = calloc(1, size);
    __sync_fetch_and_add(&pinned, 1);
    return SUCCESS;
}

int cuMemFreeHost(void *address) {
    REQUIRE_CONTEXT();
    free(address);
    __sync_fetch_and_sub(&pinned, 1);
    return SUCCESS;
}

static int copy(void *target, const void *source, size_t size) {
    REQUIRE_CONTEXT();
    memcpy(target, source, size);
    return SUCCESS;
}

int cuMemcpyHtoD_v2(Address to, const void *from, size_t size) { return copy((void *)to, from, size); }
int cuMemcpyDtoH_v2(void *to, Address from, size_t size) { return copy(to, (void *)from, size); }
int cuMemcpyDtoD_v2(Address to, Address from, size_t size) { return copy((void *)to, (void *)from, size); }
int cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t size) { return copy((void *)to, from, size); }
int cuMemcpyDtoHAsync_v2(void *to, Address from, size_t size) { return copy(to, (void *)from, size); }
int cuMemcpyDtoDAsync_v2(Address to, Address from, size_t size) { return copy((void *)to, (void *)from, size); }

int cuMemsetD8Async(Address address, unsigned char value, size_t size) {
    REQUIRE_CONTEXT();
    memset((void *)address, value, size);
    return SUCCESS;
}

int cuMemGetAddressRange_v2(Address *begin, size_t *size, Address address) {
    REQUIRE_CONTEXT();
    *begin = address;
    *size = 1 << 20;
    return SUCCESS;
}

int cuIpcGetMemHandle(void *handle) {
    REQUIRE_CONTEXT();
    memset(handle, 0xAB, 64);
    return SUCCESS;
}

int cuStreamCreate(void **stream) {
    REQUIRE_CONTEXT();
    __sync_fetch_and_add(&streams, 1);
    return make(stream);
}

int cuStreamDestroy_v2(void) {
    REQUIRE_CONTEXT();
    __sync_fetch_and_sub(&streams, 1);
    return SUCCESS;
}

int cuStreamSynchronize(void) { return refused(); }
int cuStreamGetCtx(void *stream, void **context) { (void)stream; *context = (void *)0x1000; return SUCCESS; }

int cuModuleLoadDataEx(void **module) { return make(module); }
int cuModuleGetFunction(void **function) { return make(function); }
int cuLibraryLoadData(void **library) { return make(library); }
int cuLibraryGetKernel(void **kernel) { return make(kernel); }
int cuLibraryGetModule(void **module) { return make(module); }
int cuKernelGetFunction(void **function) { return make(function); }
int cuKernelGetLibrary(void **library) { return make(library); }
int cuFuncGetModule(void **module) { return make(module); }
int cuEventCreate(void **event) { return make(event); }
int cuKernelGetAttribute(int *value) { *value = 32; return SUCCESS; }
int cuFuncGetAttribute(int *value) { *value = 32; return SUCCESS; }

static int launch(void) {
    REQUIRE_CONTEXT();
    __sync_fetch_and_add(&launches, 1);
    return SUCCESS;
}

int cuLaunchKernel(void) { return launch(); }
int cuLaunchKernelEx(void) { return launch(); }

int cuGetErrorName(int error, const char **name) {
    *name = error == INVALID_CONTEXT ? "CUDA_ERROR_INVALID_CONTEXT" : "CUDA_ERROR_UNKNOWN";
    return SUCCESS;
}

int cuGetErrorString(int error, const char **text) { return cuGetErrorName(error, text); }

int cuGetProcAddress_v2(const char *symbol, void **function, int version, uint64_t flags, int *status) {
    (void)version, (void)flags;
    char name[128];
    Dl_info own;
    dladdr((void *)cuDriverGetVersion, &own);
    void *library = dlopen(own.dli_fname, RTLD_LAZY);
    snprintf(name, sizeof name, "%s_v2", symbol);
    *function = dlsym(library, name);
    if (*function == NULL) *function = dlsym(library, symbol);
    if (*function == NULL) *function = (void *)nothing;
    if (status != NULL) *status = 0;
    return SUCCESS;
}

int cuGetProcAddress(const char *symbol, void **function, int version, uint64_t flags) {
    return cuGetProcAddress_v2(symbol, function, version, flags, NULL);
}
