# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=False
# distutils: language = c++
"""Binding of the C++ core (csrc): str, bytes in, numpy out, the GIL released in between."""

from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free
from libcpp.vector cimport vector

import numpy as np

from bertfast.errors import InputError

ctypedef fused id_t:
    int32_t
    int64_t

KERNEL = (<bytes>scanner_kernel().name).decode("ascii")
UNICODE_VERSION = (<bytes>unicode_version()).decode("ascii")

cdef size_t MAX_SPAN = 2**31 - 1

# Above this many ids a list of ids makes its own int objects.
cdef object MAX_INTS = 2**20

# Releasing the interpreter's lock costs what a text of some hundred characters does.
cdef size_t SHORT_TEXT = 1024


cdef inline void put(list values, Py_ssize_t index, object value):
    """Store a value in a new list, which takes a reference."""
    Py_INCREF(value)
    PyList_SET_ITEM(values, index, value)


cdef int view_text(object text, Text* view) except -1:
    """Point `view` at the memory of `text`, which must outlive it; 0 if it is no text."""
    if isinstance(text, str):
        make_ready(text)
        view.data = PyUnicode_DATA(text)
        view.length = <size_t>PyUnicode_GET_LENGTH(text)
        if PyUnicode_IS_ASCII(text):
            view.kind = TextKind.kAscii
        else:
            view.kind = <TextKind>PyUnicode_KIND(text)
        return 1
    if isinstance(text, bytes):
        view.data = <const char*><bytes>text
        view.length = <size_t>len(<bytes>text)
        view.kind = TextKind.kUtf8
        return 1
    return 0


cdef class OwnedInts:
    """Memory handed over by the core, as a buffer of int32."""

    cdef int32_t* data
    cdef Py_ssize_t length
    cdef Py_ssize_t itemsize

    def __dealloc__(self):
        free(self.data)

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        buffer.buf = self.data
        buffer.format = b"i"
        buffer.internal = NULL
        buffer.itemsize = sizeof(int32_t)
        buffer.len = self.length * <Py_ssize_t>sizeof(int32_t)
        buffer.ndim = 1
        buffer.obj = self
        buffer.readonly = 0
        buffer.shape = &self.length
        self.itemsize = sizeof(int32_t)
        buffer.strides = &self.itemsize
        buffer.suboffsets = NULL


cdef object as_array(OwnedInts owner, size_t length):
    """Return an int32 array [length] of what `owner` holds."""
    if length == 0:
        return np.empty(0, np.int32)
    owner.length = <Py_ssize_t>length
    return np.frombuffer(owner, np.int32)


cdef bytes as_bytes(const Text& text):
    return (<const char*>text.data)[:text.length] if text.length else b""


cdef class TextViews:
    """Texts in memory that somebody else owns and this object keeps alive."""

    cdef vector[Text] views

    def __len__(self):
        return self.views.size()

    def as_list(self):
        """Return the texts as a list of bytes."""
        return [as_bytes(self.views[i]) for i in range(self.views.size())]


cdef class FileTexts(TextViews):
    """The lines of some buffers, such as mapped files, or each buffer as one text."""

    cdef list memories

    def __cinit__(self, list buffers, bint by_line):
        cdef const unsigned char[::1] memory
        cdef Text text
        self.memories = []
        for buffer in buffers:
            memory = buffer
            self.memories.append(memory)
            text.data = &memory[0] if memory.shape[0] else NULL
            text.length = <size_t>memory.shape[0]
            text.kind = TextKind.kUtf8
            if not by_line:
                self.views.push_back(text)
            elif text.length > 0:
                append_lines(&memory[0], text.length, &self.views)


cdef class ArrowTexts(TextViews):
    """The texts of an Arrow string array or stream of them."""

    cdef vector[ArrowArray] arrays  # of a stream, ours to release
    cdef object capsules

    def __cinit__(self, object source):
        if hasattr(source, "__arrow_c_array__"):
            self.capsules = source.__arrow_c_array__()
            self.read_array()
        else:
            self.capsules = source.__arrow_c_stream__()
            self.read_stream()

    def __dealloc__(self):
        for i in range(self.arrays.size()):
            if self.arrays[i].release != NULL:
                self.arrays[i].release(&self.arrays[i])

    cdef read_array(self):
        schema, array = self.capsules
        cdef ArrowSchema* kind = <ArrowSchema*>PyCapsule_GetPointer(schema, b"arrow_schema")
        check_arrow_kind(kind)
        self.append(kind, <ArrowArray*>PyCapsule_GetPointer(array, b"arrow_array"))

    # The interpreter's lock is released: a stream may read ahead on threads that want it.
    cdef read_stream(self):
        cdef ArrowArrayStream* stream = <ArrowArrayStream*>PyCapsule_GetPointer(
            self.capsules, b"arrow_array_stream")
        cdef ArrowSchema schema
        cdef ArrowArray array
        cdef int code
        with nogil:
            code = stream.get_schema(stream, &schema)
        check_arrow(stream, code)
        try:
            check_arrow_kind(&schema)
            while True:
                with nogil:
                    code = stream.get_next(stream, &array)
                check_arrow(stream, code)
                if array.release == NULL:
                    return
                self.keep(array)
                self.append(&schema, &self.arrays.back())
        finally:
            schema.release(&schema)

    cdef keep(self, ArrowArray array):
        try:
            self.arrays.push_back(array)
        except MemoryError:
            array.release(&array)
            raise

    cdef append(self, const ArrowSchema* schema, const ArrowArray* array):
        if append_arrow_texts(schema[0], array[0], &self.views) >= 0:
            raise InputError(f"row {self.views.size()}: expected str or bytes, got null")


cdef check_arrow_kind(const ArrowSchema* schema):
    if not is_arrow_text(schema[0]):
        raise InputError(
            f"expected an Arrow array of strings, got the Arrow format "
            f"{schema.format.decode()!r}; cast it to string")


cdef check_arrow(ArrowArrayStream* stream, int code):
    if code != 0:
        message = stream.get_last_error(stream)
        reason = (<bytes>message).decode() if message != NULL else f"error {code}"
        raise InputError(f"cannot read the Arrow stream: {reason}")


cdef class Core:
    """The native tokenizer of one vocabulary. Immutable, thread-safe, fork-safe."""

    cdef Tokenizer* tokenizer
    cdef int32_t highest  # id
    cdef list ints  # the int object of every id, made on first use: a list of ids makes none

    def __cinit__(
        self, dict vocab, int32_t unk_id, object options, dict special_tokens, bint soon=False
    ):
        """Build the core; with `soon`, leave what pays for many texts only until they come."""
        cdef TextRules rules
        rules.do_lower_case = options.do_lower_case
        rules.strip_accents = options.strip_accents
        rules.tokenize_chinese_chars = options.tokenize_chinese_chars
        cdef vector[VocabEntry] entries
        cdef vector[VocabEntry] special_entries
        view_entries(vocab, &entries)
        view_entries(special_tokens, &special_entries)
        cdef Warming warming = Warming.kWhenItPays if soon else Warming.kAtOnce
        self.tokenizer = new Tokenizer(entries, unk_id, rules, special_entries, warming)
        self.highest = max(vocab.values())

    def __dealloc__(self):
        del self.tokenizer

    def encode_one(self, object text, Py_ssize_t limit, tuple specials):
        """Return at most `limit` ids of `text` (all if negative) as a list.

        `specials` is None or the two ids to put round them.
        """
        cdef Text view
        if not view_text(text, &view):
            raise InputError(f"expected str or bytes, got {type(text).__name__}")
        cdef IdBuffer* out = new IdBuffer(False)
        try:
            if view.length < SHORT_TEXT:
                self.tokenizer.encode(view, <size_t>limit, out)
            else:
                with nogil:
                    self.tokenizer.encode(view, <size_t>limit, out)
            return self.as_list(out.ids().data(), <Py_ssize_t>out.size(), specials)
        finally:
            del out

    cdef list as_list(self, const int32_t* ids, Py_ssize_t n, tuple specials):
        cdef Py_ssize_t first = 0 if specials is None else 1
        cdef list result = PyList_New(n + 2 * first)
        cdef object value
        cdef Py_ssize_t i
        if self.ints is None and self.highest < MAX_INTS:
            self.ints = list(range(self.highest + 1))
        if specials is not None:
            put(result, 0, specials[0])
            put(result, n + 1, specials[1])
        for i in range(n):
            value = self.ints[ids[i]] if self.ints is not None else ids[i]
            put(result, i + first, value)
        return result

    def encode_batch(
        self, object texts, Py_ssize_t limit, int num_threads, bint with_offsets,
        object specials=None,
    ):
        """Encode every text, `specials` round it unless None; they have no offsets.

        Returns ids int32 [n], row offsets int64 [rows + 1], and int32 [n, 2] or None.
        """
        if with_offsets and specials is not None:
            raise ValueError("special tokens have no offsets")
        cdef SpecialTokens special = make_special(specials)
        cdef vector[Text] own_views
        cdef vector[Text]* views = &own_views
        if isinstance(texts, TextViews):
            views = &(<TextViews>texts).views
        else:
            view_texts(texts, views)
        if with_offsets:
            check_spans(views[0])
        offsets = np.zeros(len(texts) + 1, np.int64)
        cdef int64_t[::1] row_offsets = offsets
        cdef int64_t* row_ends = &row_offsets[0] + 1
        cdef OwnedInts ids = OwnedInts.__new__(OwnedInts)
        cdef OwnedInts spans = OwnedInts.__new__(OwnedInts)
        cdef IdBuffer* out = new IdBuffer(with_offsets)
        cdef size_t n
        try:
            with nogil:
                self.tokenizer.encode_batch(
                    views[0], <size_t>limit, num_threads, out, row_ends)
                if special.enabled:
                    c_add_special_tokens(
                        special.cls_id, special.sep_id, views.size(), row_ends, out)
            n = out.size()
            ids.data = out.ids().release()
            spans.data = <int32_t*>out.spans().release()
            pairs = as_array(spans, n * 2).reshape(-1, 2) if with_offsets else None
            return as_array(ids, n), offsets, pairs
        finally:
            del out


# Vectors are handed over by pointer: Cython catches no std::bad_alloc of a copy.
cdef int view_entries(dict tokens, vector[VocabEntry]* entries) except -1:
    cdef VocabEntry entry
    entries.reserve(len(tokens))
    for token, index in tokens.items():
        view_text(token, &entry.token)
        entry.id = index
        entries.push_back(entry)
    return 0


cdef int view_texts(tuple texts, vector[Text]* views) except -1:
    cdef Text view
    cdef Py_ssize_t row
    views.reserve(len(texts))
    for row, text in enumerate(texts):
        if not view_text(text, &view):
            raise InputError(f"row {row}: expected str or bytes, got {type(text).__name__}")
        views.push_back(view)
    return 0


cdef int check_spans(const vector[Text]& views) except -1:
    cdef size_t row
    for row in range(views.size()):
        if views[row].length > MAX_SPAN:
            raise InputError(f"row {row}: offsets need a text of at most {MAX_SPAN} code points")
    return 0


cdef RowPlan make_plan(
    const int64_t[::1] a_begin, const int64_t[::1] a_length,
    const int64_t[::1] b_begin, const int64_t[::1] b_length,
) noexcept:
    cdef RowPlan plan
    plan.n_rows = <size_t>a_begin.shape[0]
    plan.a_begin = &a_begin[0] if plan.n_rows else NULL
    plan.a_length = &a_length[0] if plan.n_rows else NULL
    plan.b_begin = &b_begin[0] if plan.n_rows else NULL
    plan.b_length = &b_length[0] if plan.n_rows else NULL
    return plan


cdef SpecialTokens make_special(object specials) except *:
    cdef SpecialTokens special
    special.enabled = specials is not None
    special.cls_id, special.sep_id = (0, 0) if specials is None else specials
    return special


cdef inline const int32_t* first(const int32_t[::1] values) noexcept nogil:
    return &values[0] if values.shape[0] else NULL


def pack_ragged(
    int32_t[::1] ids, const int64_t[::1] offsets,
    const int32_t[::1] ids_a, const int32_t[::1] ids_b,
    const int64_t[::1] a_begin, const int64_t[::1] a_length,
    const int64_t[::1] b_begin, const int64_t[::1] b_length, object specials,
):
    """Fill `ids` with one row after the other; see csrc/include/bertfast/pack.h."""
    cdef RowPlan plan = make_plan(a_begin, a_length, b_begin, b_length)
    cdef SpecialTokens special = make_special(specials)
    cdef int32_t* target = &ids[0] if ids.shape[0] else NULL
    with nogil:
        c_pack_ragged(plan, first(ids_a), first(ids_b), special, &offsets[0], target)


def pack_padded(
    id_t[:, ::1] input_ids, id_t[:, ::1] input_mask, id_t[:, ::1] segment_ids,
    const int32_t[::1] ids_a, const int32_t[::1] ids_b,
    const int64_t[::1] a_begin, const int64_t[::1] a_length,
    const int64_t[::1] b_begin, const int64_t[::1] b_length, object specials, int32_t pad_id,
):
    """Fill three matrices [rows, width]; see csrc/include/bertfast/pack.h."""
    cdef RowPlan plan = make_plan(a_begin, a_length, b_begin, b_length)
    cdef SpecialTokens special = make_special(specials)
    cdef size_t width = <size_t>input_ids.shape[1]
    if input_ids.shape[0] == 0 or width == 0:
        return
    with nogil:
        c_pack_padded(
            plan, first(ids_a), first(ids_b), special, pad_id, width,
            &input_ids[0, 0], &input_mask[0, 0], &segment_ids[0, 0])


def pack_offsets(
    int32_t[:, :, ::1] offsets, const int32_t[:, ::1] spans_a, const int32_t[:, ::1] spans_b,
    const int64_t[::1] a_begin, const int64_t[::1] a_length,
    const int64_t[::1] b_begin, const int64_t[::1] b_length, bint special,
):
    """Fill zeroed `offsets` [rows, width, 2]; see csrc/include/bertfast/pack.h."""
    cdef RowPlan plan = make_plan(a_begin, a_length, b_begin, b_length)
    cdef const int32_t* a = &spans_a[0, 0] if spans_a.shape[0] else NULL
    cdef const int32_t* b = &spans_b[0, 0] if spans_b.shape[0] else NULL
    cdef size_t width = <size_t>offsets.shape[1]
    if offsets.shape[0] == 0 or width == 0:
        return
    with nogil:
        c_pack_spans(
            plan, <const Span*>a, <const Span*>b, special, width, <Span*>&offsets[0, 0, 0])
