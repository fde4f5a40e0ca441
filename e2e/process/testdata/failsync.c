// Preloaded into a server: syncs fail with EIO while the file $FAILSYNC_TRIGGER exists.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int fails(void) {
  const char* trigger = getenv("FAILSYNC_TRIGGER");
  return trigger != NULL && access(trigger, F_OK) == 0;
}

static int sync_or_fail(const char* name, int fd) {
  if (fails()) {
    errno = EIO;
    return -1;
  }
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  return real(fd);
}

int fsync(int fd) { return sync_or_fail("fsync", fd); }
int fdatasync(int fd) { return sync_or_fail("fdatasync", fd); }
