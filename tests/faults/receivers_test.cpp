// Receivers that are dead, slow, rude or confused: calls are answered as ever, memory is bounded,
// what is lost is counted and told once a minute, and the end keeps its deadline.
#include "faults_for_test.h"

namespace mellea {
namespace {

constexpr int kCalls = 200;  // far more spans than fit into the queue
constexpr telemetry::BatchOptions kSmall{.queue = 64, .batch = 16};

const std::string_view kPartly("\x0A\x02\x08\x01", 4);  // one item was rejected

struct Fault {
  std::string name;
  Receiver::Answer answer;
  int delivers_from = -1;  // the first request whose spans are delivered; -1: none ever is
  int rejected = 0;        // of each request
  std::string why{};       // in the warning
};
std::ostream& operator<<(std::ostream& out, const Fault& fault) { return out << fault.name; }

class ReceiverTest : public testing::TestWithParam<Fault> {};

TEST_P(ReceiverTest, HarmsNoCallAndEverySpanIsDeliveredOrToldOf) {
  const Fault& fault = GetParam();
  Receiver receiver(fault.answer);
  Warned warned;
  Telemetry telemetry({.exporters = {receiver.traces()},
                       .batch = kSmall,
                       .metrics = {.exporters = {receiver.metrics()}},
                       .warn = warned.teller()});
  make_calls(telemetry, kCalls);
  const bool delivers = fault.delivers_from >= 0;
  const telemetry::Telemetry::Duration limit = delivers ? 30s : 300ms;
  const Instant until = Instant::clock::now() + limit;
  telemetry.shutdown(limit);
  EXPECT_LT(Instant::clock::now() - until, 2s);
  const int delivered =
      delivers ? receiver.spans_from(fault.delivers_from) - fault.rejected * receiver.batches() : 0;
  EXPECT_EQ(delivered + warned.spans_lost(), spans_of(kCalls));
  EXPECT_LE(warned.count(" spans lost: "), 2) << "at once, and at the end";
  EXPECT_LE(warned.count(" metrics not delivered: "), 2);
  EXPECT_GE(warned.count(fault.why), warned.all().empty() ? 0 : 1);
}

Script well() { return Script::answer(200, ""); }

INSTANTIATE_TEST_SUITE_P(
    Faults, ReceiverTest,
    testing::Values(
        Fault{.name = "Well", .answer = [](int) { return well(); }, .delivers_from = 0},
        Fault{.name = "Resetting", .answer = [](int) { return Script::raw().reset(); }},
        Fault{.name = "BlackHole", .answer = [](int) { return Script::raw().hang(); }},
        Fault{.name = "HangsInItsAnswer",
              .answer = [](int) { return Script::raw().bytes("HTTP/1.1 200 OK\r\n").hang(); }},
        Fault{.name = "AsksToWaitLong",
              .answer =
                  [](int) {
                    return Script::answer(429, "", {{"retry-after", "3600"}});
                  },
              .why = "HTTP status 429"},
        Fault{
            .name = "AsksToWaitALittle",
            .answer =
                [](int request) {
                  return request == 0 ? Script::answer(429, "", {{"retry-after-ms", "1"}}) : well();
                },
            .delivers_from = 1},
        Fault{.name = "Unavailable",
              .answer =
                  [](int) {
                    return Script::answer(503, "", {{"retry-after-ms", "1"}});
                  },
              .why = "HTTP status 503"},
        Fault{.name = "Refuses",
              .answer = [](int) { return Script::answer(400, "no"); },
              .why = "HTTP status 400"},
        Fault{
            .name = "SpeaksNoHttp",
            .answer = [](int) { return Script::raw().bytes("\x16\x03\x01 what?\r\n\r\n").cut(); }},
        Fault{.name = "AnswersNonsense",
              .answer = [](int) { return Script::answer(200, "\xFF\xFF\x08 <html>"); },
              .delivers_from = 0},
        Fault{.name = "AnswersWithoutEnd",
              .answer =
                  [](int) { return Script::answer(200, std::string(std::size_t{1} << 20U, 'x')); }},
        Fault{.name = "TakesAPart",
              .answer = [](int) { return Script::answer(200, kPartly); },
              .delivers_from = 0,
              .rejected = 1,
              .why = "the receiver rejected 1 spans"}),
    [](const auto& one) { return one.param.name; });

TEST(ReceiversTest, NobodyListens) {
  std::string url;
  { url = LoopbackServer(std::vector<Script>{}).url(); }
  Warned warned;
  Telemetry telemetry(
      {.exporters = {telemetry::OtlpHttp{.endpoint = url + "/v1/traces"}},
       .batch = kSmall,
       .metrics = {.exporters = {telemetry::OtlpHttp{.endpoint = url + "/v1/metrics"}}},
       .warn = warned.teller()});
  make_calls(telemetry, kCalls);
  const Instant until = Instant::clock::now() + 300ms;
  EXPECT_FALSE(telemetry.shutdown(300ms));
  EXPECT_LT(Instant::clock::now() - until, 2s);
  EXPECT_EQ(warned.spans_lost(), spans_of(kCalls));
  EXPECT_EQ(warned.count(" metrics not delivered: "), 1);
}

// While it thinks, the queue fills and no more is kept; then what was kept arrives.
TEST(ReceiversTest, ASlowOneCostsSpansAndNoMemory) {
  Receiver receiver([](int request) {
    Script script = Script::raw();
    if (request == 0) script.hold();
    return script.bytes("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  });
  Warned warned;
  Telemetry telemetry({.exporters = {receiver.traces()},
                       .batch = kSmall,
                       .metrics = {.enabled = true},
                       .warn = warned.teller()});
  make_calls(telemetry, static_cast<int>(kSmall.batch));  // sent at once
  ASSERT_TRUE(receiver.server().wait_for_requests(1));
  make_calls(telemetry, kCalls);
  const std::string text = telemetry.metrics_text();
  const std::size_t at = text.find("} ", text.find("\nmellea_telemetry_spans_waiting{"));
  const int waiting = std::stoi(text.substr(at + 2));
  EXPECT_GE(waiting, static_cast<int>(kSmall.queue));
  EXPECT_LE(waiting, static_cast<int>(kSmall.queue + kSmall.batch));
  receiver.server().release();
  EXPECT_FALSE(telemetry.shutdown());  // something was lost
  EXPECT_EQ(receiver.spans_from(0) + warned.spans_lost(),
            spans_of(kCalls) + spans_of(static_cast<int>(kSmall.batch)));
  EXPECT_EQ(warned.count(" spans lost: more ended than could be sent"), 1);
}

// What was counted while it was away is in the next look.
TEST(ReceiversTest, AReceiverThatComesBackHasLostNoMetric) {
  Receiver receiver([](int request) { return request < 2 ? Script::answer(400, "") : well(); });
  Warned warned;
  Telemetry telemetry({.metrics = {.exporters = {receiver.metrics()}}, .warn = warned.teller()});
  make_calls(telemetry, 3);
  EXPECT_FALSE(telemetry.flush());
  EXPECT_FALSE(telemetry.flush());
  EXPECT_EQ(warned.count(" metrics not delivered: HTTP status 400"), 1) << "once a minute";
  EXPECT_TRUE(telemetry.flush());
  EXPECT_TRUE(telemetry.shutdown());
}

TEST(ReceiversTest, AFullDiskIsToldOfAndHarmsNoCall) {
  Warned warned;
  Telemetry telemetry({.exporters = {telemetry::OtlpFile{"/dev/full"}},
                       .batch = kSmall,
                       .metrics = {.exporters = {telemetry::OtlpFile{"/dev/full"}}},
                       .warn = warned.teller()});
  make_calls(telemetry, kCalls);
  EXPECT_FALSE(telemetry.shutdown());
  EXPECT_EQ(warned.spans_lost(), spans_of(kCalls));
  EXPECT_LE(warned.count(" spans lost: "), 2);
  EXPECT_EQ(warned.count("/dev/full: metrics not delivered: write: No space left on device"), 1);
}

}  // namespace
}  // namespace mellea
