// Utf8Reader against the rule of bytes.decode("utf-8", "ignore").
#include <string>
#include <vector>

#include "bertfast/text.h"
#include "check.h"

namespace {

using bertfast::CodePoint;
using CodePoints = std::vector<CodePoint>;

CodePoints decode(const std::string& bytes) {
  bertfast::Utf8Reader reader(bytes.data(), bytes.size());
  CodePoints result;
  CodePoint code_point;
  while (reader.next(&code_point)) result.push_back(code_point);
  CHECK(reader.index() == static_cast<std::int64_t>(result.size()));
  return result;
}

void test_valid_sequences_decode() {
  CHECK(decode("a") == CodePoints{'a'});
  CHECK(decode("\xC3\xA9") == CodePoints{0xE9});
  CHECK(decode("\xE5\xA4\xA7") == CodePoints{0x5927});
  CHECK(decode("\xF0\x9F\x98\x80") == CodePoints{0x1F600});
  CHECK(decode(std::string("\0a", 2)) == (CodePoints{0, 'a'}));
}

void test_invalid_bytes_are_skipped_as_python_does() {
  CHECK(decode("a\xFFz") == (CodePoints{'a', 'z'}));
  CHECK(decode("a\x80z") == (CodePoints{'a', 'z'}));
  CHECK(decode("\xC0\x80") == CodePoints{});              // overlong
  CHECK(decode("\xE0\x80\x80z") == CodePoints{'z'});      // overlong
  CHECK(decode("\xED\xA0\x80z") == CodePoints{'z'});      // surrogate
  CHECK(decode("\xF4\x90\x80\x80z") == CodePoints{'z'});  // above U+10FFFF
  CHECK(decode("\xE5\xA4z") == CodePoints{'z'});          // cut short
  CHECK(decode("\xE5\xC3\xA9") == CodePoints{0xE9});      // cut short by a lead
  CHECK(decode("\xF0\x9F\x98") == CodePoints{});          // cut short by the end
  CHECK(decode("\xF0\x9F\xE5\xA4\xA7") == CodePoints{0x5927});
}

void test_ucs4_above_unicode_reads_as_replacement() {
  const std::uint32_t units[] = {'a', 0x110000, 0xFFFFFFFF};
  bertfast::UnitReader<std::uint32_t> reader(units, 3);
  CodePoint code_point = 0;
  CHECK(reader.next(&code_point) && code_point == 'a');
  CHECK(reader.next(&code_point) && code_point == 0xFFFD);
  CHECK(reader.next(&code_point) && code_point == 0xFFFD);
  CHECK(!reader.next(&code_point));
}

}  // namespace

int main() {
  test_valid_sequences_decode();
  test_invalid_bytes_are_skipped_as_python_does();
  test_ucs4_above_unicode_reads_as_replacement();
  return bertfast_test::report("test_text");
}
