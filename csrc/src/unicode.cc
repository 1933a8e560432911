#include "bertfast/unicode.h"

namespace bertfast {

#include "unicode_tables.inc"  // kUnicodeVersion, kPages, kRecords, kMapping*

namespace {

static_assert(sizeof(kPages) / sizeof(kPages[0]) == kPageCount,
              "pages of another size");

}  // namespace

CodePoints unicode_lower(UnicodeRecord record) {
  const std::uint16_t* starts = kMappingStarts + 2 * record.mapping_index();
  return {kMappingPool + starts[0], kMappingPool + starts[1]};
}

CodePoints unicode_decomposition(UnicodeRecord record) {
  const std::uint16_t* starts = kMappingStarts + 2 * record.mapping_index();
  return {kMappingPool + starts[1], kMappingPool + starts[2]};
}

std::uint32_t unicode_distinct_page(CodePoint page) { return kPages[page]; }

std::uint32_t unicode_distinct_page_count() {
  return sizeof(kRecords) / sizeof(kRecords[0]) >> kPageBits;
}

const char* unicode_version() { return kUnicodeVersion; }

}  // namespace bertfast
