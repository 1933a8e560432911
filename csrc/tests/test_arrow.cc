// String arrays of Arrow, put together by hand: every format, offsets, nulls, views.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "bertfast/arrow.h"
#include "check.h"

namespace {

using bertfast::append_arrow_texts;
using bertfast::is_arrow_text;
using bertfast::Text;

const char kBytes[] = "catmatlonger than twelve";

ArrowSchema make_schema(const char* format) {
  ArrowSchema schema{};
  schema.format = format;
  return schema;
}

// An array over `buffers`, which must outlive it.
ArrowArray make_array(std::int64_t length, std::int64_t offset, const void** buffers) {
  ArrowArray array{};
  array.length = length;
  array.offset = offset;
  array.buffers = buffers;
  return array;
}

std::vector<std::string> strings(const std::vector<Text>& texts) {
  std::vector<std::string> result;
  for (const Text& text : texts)
    result.emplace_back(static_cast<const char*>(text.data), text.length);
  return result;
}

void test_formats() {
  for (const char* format : {"u", "U", "vu", "z", "Z", "vz"})
    CHECK(is_arrow_text(make_schema(format)));
  for (const char* format : {"i", "uu", "", "v", "+l"})
    CHECK(!is_arrow_text(make_schema(format)));
  ArrowSchema dictionary = make_schema("i");
  ArrowSchema encoded = make_schema("u");
  encoded.dictionary = &dictionary;
  CHECK(!is_arrow_text(encoded));
}

template <class Offset>
void test_offsets(const char* format) {
  const Offset offsets[] = {0, 3, 3, 6, 24};
  const void* buffers[] = {nullptr, offsets, kBytes};
  std::vector<Text> texts;
  ArrowArray array = make_array(4, 0, buffers);
  CHECK(append_arrow_texts(make_schema(format), array, &texts) == -1);
  CHECK(strings(texts) ==
        std::vector<std::string>({"cat", "", "mat", "longer than twelve"}));
  CHECK(texts[1].data == nullptr);

  // A slice, and a null in it: only the texts before are taken.
  const std::uint8_t validity[] = {0x07};
  buffers[0] = validity;
  array = make_array(3, 1, buffers);
  array.null_count = -1;  // not counted
  texts.clear();
  CHECK(append_arrow_texts(make_schema(format), array, &texts) == 2);
  CHECK(strings(texts) == std::vector<std::string>({"", "mat"}));
  array.null_count = 0;  // then the bits are not looked at
  texts.clear();
  CHECK(append_arrow_texts(make_schema(format), array, &texts) == -1);
  CHECK(texts.size() == 3);
}

void test_views(const char* format) {
  std::int32_t views[2][4] = {{3, 0, 0, 0}, {18, 0, 0, 6}};
  std::memcpy(&views[0][1], "cat", 3);
  const void* buffers[] = {nullptr, views, kBytes};
  std::vector<Text> texts;
  CHECK(append_arrow_texts(make_schema(format), make_array(2, 0, buffers), &texts) ==
        -1);
  CHECK(strings(texts) == std::vector<std::string>({"cat", "longer than twelve"}));
}

}  // namespace

int main() {
  test_formats();
  for (const char* format : {"u", "z"}) test_offsets<std::int32_t>(format);
  for (const char* format : {"U", "Z"}) test_offsets<std::int64_t>(format);
  for (const char* format : {"vu", "vz"}) test_views(format);
  return bertfast_test::report("test_arrow");
}
