# cython: language_level=3
"""What _native.pyx takes from the C++ core and from CPython's C interface."""

from libc.stdint cimport int32_t, int64_t
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

cdef extern from "Python.h":
    void* PyCapsule_GetPointer(object capsule, const char* name) except NULL
    int PyUnicode_KIND(object text)
    bint PyUnicode_IS_ASCII(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

cdef extern from *:
    """
    // Until CPython 3.12 a C extension could make a str in a form of its own, which the macros
    // above take for an empty one.
    static inline int make_ready(PyObject* text) {
    #if PY_VERSION_HEX < 0x030C0000
      return PyUnicode_READY(text);
    #else
      (void)text;
      return 0;
    #endif
    }
    """
    int make_ready(object text) except -1

cdef extern from "bertfast/text.h" namespace "bertfast" nogil:
    cdef enum class TextKind:
        kAscii
        kUtf8
    cdef cppclass Text:
        const void* data
        size_t length
        TextKind kind

cdef extern from "bertfast/arrow.h" nogil:
    cdef struct ArrowSchema:
        const char* format
        void (*release)(ArrowSchema*) noexcept
    cdef struct ArrowArray:
        void (*release)(ArrowArray*) noexcept
    cdef struct ArrowArrayStream:
        int (*get_schema)(ArrowArrayStream*, ArrowSchema*) noexcept nogil
        int (*get_next)(ArrowArrayStream*, ArrowArray*) noexcept nogil
        const char* (*get_last_error)(ArrowArrayStream*) noexcept

cdef extern from "bertfast/arrow.h" namespace "bertfast" nogil:
    bint is_arrow_text(const ArrowSchema& schema)
    int64_t append_arrow_texts(
        const ArrowSchema& schema, const ArrowArray& array, vector[Text]* texts) except +

cdef extern from "bertfast/scanner.h" namespace "bertfast" nogil:
    cdef struct ScannerKernel:
        const char* name
    const ScannerKernel& scanner_kernel()

cdef extern from "bertfast/lines.h" namespace "bertfast" nogil:
    void append_lines(const unsigned char* bytes, size_t n, vector[Text]* texts) except +

cdef extern from "bertfast/unicode.h" namespace "bertfast" nogil:
    const char* unicode_version()

cdef extern from "bertfast/id_buffer.h" namespace "bertfast" nogil:
    cdef cppclass Span:
        pass
    cdef cppclass GrowingArray[T]:
        T* data()
        T* release()
    cdef cppclass IdBuffer:
        IdBuffer(cbool with_spans) except +
        size_t size()
        GrowingArray[int32_t]& ids()
        GrowingArray[Span]& spans()

cdef extern from "bertfast/normal_form.h" namespace "bertfast" nogil:
    cdef cppclass TextRules:
        cbool do_lower_case
        cbool strip_accents
        cbool tokenize_chinese_chars

cdef extern from "bertfast/token_strings.h" namespace "bertfast" nogil:
    cdef cppclass VocabEntry:
        Text token
        int32_t id

cdef extern from "bertfast/tokenizer.h" namespace "bertfast" nogil:
    cdef enum class Warming:
        kAtOnce
        kWhenItPays
    cdef cppclass Tokenizer:
        Tokenizer(
            const vector[VocabEntry]& vocab, int32_t unk_id, const TextRules& rules,
            const vector[VocabEntry]& special_tokens, Warming warming) except +
        void encode(const Text& text, size_t limit, IdBuffer* out) except +
        void encode_batch(
            const vector[Text]& texts, size_t limit, int n_threads, IdBuffer* out,
            int64_t* row_ends) except +

cdef extern from "bertfast/pack.h" namespace "bertfast" nogil:
    cdef cppclass RowPlan:
        size_t n_rows
        const int64_t* a_begin
        const int64_t* a_length
        const int64_t* b_begin
        const int64_t* b_length
    cdef cppclass SpecialTokens:
        cbool enabled
        int32_t cls_id
        int32_t sep_id
    void c_add_special_tokens "bertfast::add_special_tokens"(
        int32_t cls_id, int32_t sep_id, size_t n_rows, int64_t* row_ends, IdBuffer* ids) except +
    void c_pack_ragged "bertfast::pack_ragged"(
        const RowPlan& plan, const int32_t* ids_a, const int32_t* ids_b, SpecialTokens special,
        const int64_t* offsets, int32_t* ids)
    void c_pack_padded "bertfast::pack_padded"[T](
        const RowPlan& plan, const int32_t* ids_a, const int32_t* ids_b, SpecialTokens special,
        int32_t pad_id, size_t width, T* input_ids, T* input_mask, T* segment_ids)
    void c_pack_spans "bertfast::pack_spans"(
        const RowPlan& plan, const Span* spans_a, const Span* spans_b, cbool special,
        size_t width, Span* spans)
