// An Arrow stream of the strings "hello" and "a" whose producer waits for a thread that
// takes the interpreter's lock, as a reader of files through Python does.
#include <Python.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

struct Schema {
  const char *format, *name, *metadata;
  int64_t flags, n_children;
  struct Schema **children, *dictionary;
  void (*release)(struct Schema*);
  void* private_data;
};

struct Array {
  int64_t length, null_count, offset, n_buffers, n_children;
  const void** buffers;
  struct Array **children, *dictionary;
  void (*release)(struct Array*);
  void* private_data;
};

struct Stream {
  int (*get_schema)(struct Stream*, struct Schema*);
  int (*get_next)(struct Stream*, struct Array*);
  const char* (*get_last_error)(struct Stream*);
  void (*release)(struct Stream*);
  void* private_data;
};

static const int32_t offsets[] = {0, 5, 6};
static const void* buffers[] = {NULL, offsets, "helloa"};
static int is_done = 0;

static void* take_lock(void* unused) {
  (void)unused;
  PyGILState_Release(PyGILState_Ensure());
  return NULL;
}

static void wait_for_lock(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, take_lock, NULL);
  pthread_join(thread, NULL);
}

static void release_schema(struct Schema* schema) { schema->release = NULL; }
static void release_array(struct Array* array) { array->release = NULL; }
static void release_stream(struct Stream* stream) { stream->release = NULL; }
static const char* last_error(struct Stream* stream) {
  (void)stream;
  return NULL;
}

static int get_schema(struct Stream* stream, struct Schema* schema) {
  (void)stream;
  wait_for_lock();
  memset(schema, 0, sizeof(*schema));
  schema->format = "u";
  schema->release = release_schema;
  return 0;
}

static int get_next(struct Stream* stream, struct Array* array) {
  (void)stream;
  wait_for_lock();
  memset(array, 0, sizeof(*array));
  if (is_done) return 0;
  is_done = 1;
  array->length = 2;
  array->n_buffers = 3;
  array->buffers = buffers;
  array->release = release_array;
  return 0;
}

PyObject* make_stream(void) {
  static struct Stream stream = {get_schema, get_next, last_error, release_stream,
                                 NULL};
  return PyCapsule_New(&stream, "arrow_array_stream", NULL);
}
