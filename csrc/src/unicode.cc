#include "bertfast/unicode.h"

namespace bertfast {
namespace {

#include "unicode_tables.inc"  // kUnicodeVersion, kPages, kRecords, kExpansion*

static_assert(sizeof(kPages) / sizeof(kPages[0]) == kPageCount,
              "pages of another size");

}  // namespace

UnicodeRecord unicode_record(CodePoint code_point) {
  const std::size_t page = kPages[code_point >> kPageBits];
  return UnicodeRecord(kRecords[page << kPageBits | (code_point & (kPageSize - 1))]);
}

CodePoints unicode_expansion(UnicodeRecord record) {
  const std::uint32_t index = record.expansion_index();
  return {kExpansionPool + kExpansionStarts[index],
          kExpansionPool + kExpansionStarts[index + 1]};
}

std::uint32_t unicode_distinct_page(CodePoint page) { return kPages[page]; }

std::uint32_t unicode_distinct_page_count() {
  return sizeof(kRecords) / sizeof(kRecords[0]) >> kPageBits;
}

const char* unicode_version() { return kUnicodeVersion; }

}  // namespace bertfast
