// Encodes a batch on several threads.
//
// The rows are cut into blocks. The calling thread takes blocks from the front and
// writes them straight to where they belong; the others take from the back into buffers
// of their own, which are appended when all is done:
//
//   | caller 0, 1, 2, 3 ->        <- helpers' 4 | 5 | 6 | 7 |
//
// Who is fast takes more, so that texts of different cost do not leave a thread
// waiting.
#ifndef BERTFAST_PARALLEL_H_
#define BERTFAST_PARALLEL_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bertfast/id_buffer.h"
#include "bertfast/text.h"
#include "bertfast/tokenizer.h"

namespace bertfast {

// As Tokenizer::encode_batch, which calls it with n_threads >= 2. A thread that cannot
// be started is done without.
void encode_parallel(const Tokenizer& tokenizer, const std::vector<Text>& texts,
                     std::size_t limit, std::size_t n_threads, IdBuffer* out,
                     std::int64_t* row_ends);

}  // namespace bertfast

#endif  // BERTFAST_PARALLEL_H_
