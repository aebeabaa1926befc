/* A driver for tests: the functions of libcuda and NVML that the probe calls, with their real prototypes, over
   host memory. Kernels take the time that they would; nothing is shared, but a watching kernel sees turns of
   2 ms with 0.15 ms between them, odd processes after even ones. FAKE_COUNTER names a file that counts
   processes, FAKE_MODE is the virtualization mode, FAKE_NAME what CUDA calls the device. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

typedef uint64_t CUdeviceptr;
typedef struct { char name[32]; } *CUfunction;
typedef struct { int64_t done; } *CUevent;
static const int SMS = 132, INVALID = 1, NOT_READY = 600;
static int64_t busy_until, process;
static char module_text[64];

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static int64_t gpu_time(int64_t host) { return host + 5000000000LL; }
static void wait_for(int64_t t) {
    int64_t left = t - now();
    if (left > 0) {
        struct timespec s = {left / 1000000000LL, left % 1000000000LL};
        nanosleep(&s, 0);
    }
}
static int percent(void) {
    const char *p = getenv("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE");
    return p ? atoi(p) : 100;
}
static int sms(void) { return percent() * SMS / 100 / 2 * 2; }

int cuInit(unsigned flags) {
    const char *path = getenv("FAKE_COUNTER");
    if (flags) return INVALID;
    if (path) {
        int f = open(path, O_RDWR | O_CREAT, 0600);
        flock(f, LOCK_EX);
        process = lseek(f, 0, SEEK_END);
        if (write(f, "x", 1) != 1) return INVALID;
        close(f);
    }
    return getenv("FAKE_NO_DEVICE") ? 100 : 0;
}
int cuDriverGetVersion(int *v) { *v = 13000; return 0; }
int cuDeviceGetCount(int *n) { *n = 1; return 0; }
int cuDeviceGet(int *d, int i) { *d = i; return 0; }
int cuDeviceGetName(char *s, int n, int d) {
    const char *name = getenv("FAKE_NAME");
    snprintf(s, n, "%s", name ? name : "NVIDIA H200");
    return d;
}
int cuDeviceGetPCIBusId(char *s, int n, int d) { snprintf(s, n, "0000:17:00.0"); return d; }
int cuDeviceGetAttribute(int *v, int which, int d) {
    *v = which == 16 ? sms() : which == 97 ? 232448 : 0;
    return d;
}
int cuDeviceTotalMem_v2(size_t *n, int d) { *n = 143771ULL << 20; return d; }
int cuDevicePrimaryCtxSetFlags_v2(int d, unsigned flags) { return d || flags != 1; }
int cuDevicePrimaryCtxRetain(void **c, int d) { *c = &process; return d; }
int cuCtxSetCurrent(void *c) { return c != &process; }
int cuModuleLoadDataEx(void **m, const void *image, unsigned n, int *options, void **values) {
    if (n != 2 || options[0] != 5 || options[1] != 6 || (size_t)values[1] < 1024) return INVALID;
    if (strncmp(image, ".version 6.0\n.target sm_60", 26)) {
        snprintf(values[0], (size_t)values[1], "what the assembler says");
        return 218;
    }
    *m = module_text;
    return 0;
}
int cuModuleGetFunction(CUfunction *f, void *m, const char *name) {
    if (m != module_text) return INVALID;
    *f = calloc(1, sizeof **f);
    strncpy((*f)->name, name, 31);
    return 0;
}
int cuFuncSetAttribute(CUfunction f, int which, int value) { return !f || which != 8 || value > 232448; }
int cuMemAlloc_v2(CUdeviceptr *p, size_t n) { *p = (CUdeviceptr)malloc(n); return !*p; }
int cuMemFree_v2(CUdeviceptr p) { free((void *)p); return 0; }
int cuMemHostAlloc(void **p, size_t n, unsigned flags) { *p = malloc(n); return !*p || flags; }
int cuMemFreeHost(void *p) { free(p); return 0; }
int cuMemsetD8Async(CUdeviceptr p, unsigned char c, size_t n, void *s) { memset((void *)p, c, n); return s != &busy_until; }
int cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t n) { memcpy(to, (void *)from, n); return 0; }
static int copy(size_t n, void *s) {
    int64_t t = now();
    busy_until = (busy_until > t ? busy_until : t) + n / 50; /* 50 GB/s */
    return s != &busy_until;
}
int cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t n, void *s) { (void)to; (void)from; return copy(n, s); }
int cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t n, void *s) { (void)to; (void)from; return copy(n, s); }
int cuStreamCreate(void **s, unsigned flags) { *s = &busy_until; return flags != 1; }
int cuStreamSynchronize(void *s) { wait_for(busy_until); return s != &busy_until; }
int cuEventCreate(CUevent *e, unsigned flags) { *e = calloc(1, sizeof **e); return flags != 2; }
int cuEventRecord(CUevent e, void *s) { e->done = busy_until; return s != &busy_until; }
int cuEventQuery(CUevent e) { return now() < e->done ? NOT_READY : 0; }
int cuEventSynchronize(CUevent e) { wait_for(e->done); return 0; }
int cuGetErrorName(int code, const char **s) { *s = code == 218 ? "CUDA_ERROR_INVALID_PTX" : code == 100 ? "CUDA_ERROR_NO_DEVICE" : "CUDA_ERROR"; return 0; }

#define ARG(type, i) (*(type *)params[i])
int cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                   void *stream, void **params, void **extra) {
    if (gy != 1 || gz != 1 || by != 1 || bz != 1 || stream != &busy_until || extra || shared > 232448 || !gx || !bx) return INVALID;
    int64_t t = now(), start = (busy_until > t ? busy_until : t) + 3000;
    if (!strcmp(f->name, "work")) {
        int64_t end = start + (int64_t)(ARG(uint64_t, 0) * 20.0);
        if (ARG(float, 1) != 0.5f || bx != 256) return INVALID;
        if (ARG(uint64_t, 3)) {
            *(int64_t *)ARG(uint64_t, 3) = gpu_time(start);
            *(int64_t *)ARG(uint64_t, 4) = gpu_time(end);
        }
        busy_until = end;
    } else if (!strncmp(f->name, "watch", 5)) {
        int64_t duration = ARG(uint64_t, 0), threshold = ARG(uint64_t, 1);
        uint64_t *gaps = (uint64_t *)ARG(uint64_t, 3), *heads = (uint64_t *)ARG(uint64_t, 6);
        unsigned cap = ARG(unsigned, 4), every = ARG(unsigned, 5);
        const int64_t slice = 2000000, dry = 150000, round = 2 * (slice + dry), mine = process % 2 * (slice + dry);
        for (unsigned b = 0; b < gx; b++) {
            unsigned n = 0;
            if (b % every == 0 && duration > 1000000) {
                if (!threshold)
                    for (; n < 50; n++) gaps[2 * (b * cap + n)] = gpu_time(start) + 32 * n, gaps[2 * (b * cap + n) + 1] = gpu_time(start) + 32 * (n + 1);
                else
                    for (int64_t k = gpu_time(start) / round; k * round < gpu_time(start) + duration; k++) {
                        int64_t gone = k * round + mine + slice, back = (k + 1) * round + mine;
                        if (gone > gpu_time(start) && back < gpu_time(start) + duration && n < cap)
                            gaps[2 * (b * cap + n)] = gone, gaps[2 * (b * cap + n) + 1] = back, n++;
                    }
            }
            heads[4 * b] = b, heads[4 * b + 1] = gpu_time(start), heads[4 * b + 2] = gpu_time(start) + duration, heads[4 * b + 3] = n;
        }
        busy_until = start + duration;
    } else if (!strcmp(f->name, "count")) {
        for (int sm = 0; sm < sms(); sm++) ((uint32_t *)ARG(uint64_t, 0))[sm] = 1;
        busy_until = start + ARG(uint64_t, 1);
    } else
        return INVALID;
    return 0;
}

/* NVML */
struct pci { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; };
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *s, unsigned n) { snprintf(s, n, "580.159"); return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **h) { *h = module_text; return strcmp(bus, "0000:17:00.0") != 0; }
int nvmlDeviceGetName(void *h, char *s, unsigned n) { snprintf(s, n, "NVIDIA H200"); return h != module_text; }
int nvmlDeviceGetPciInfo_v3(void *h, struct pci *p) { memset(p, 0, sizeof *p); p->id = 0x233510DE; return h != module_text; }
int nvmlDeviceGetVirtualizationMode(void *h, int *mode) {
    const char *m = getenv("FAKE_MODE");
    *mode = m ? atoi(m) : 0;
    return h != module_text;
}
int nvmlDeviceGetMigMode(void *h, unsigned *current, unsigned *pending) { *current = *pending = 0; return h != module_text; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *h, unsigned *n, void *infos) { *n = 3; return h == module_text && !infos ? 7 : 0; }
