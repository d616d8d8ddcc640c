// The border to JavaScript: arguments in, plain objects out, BpfError to Error. No logic.
#include <napi.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "kernel_support.h"
#include "page_cache_probe.h"
#include "process_memory.h"

namespace {

const std::vector<const char*> kCounterNames = {
#define X(name) #name,
    FOR_EACH_COUNTER(X)
#undef X
};

Napi::Object ToJs(Napi::Env env, const BpfError& error) {
  Napi::Object object = Napi::Error::New(env, error.what()).Value();
  object.Set("code", error.code());
  object.Set("errno", error.error());
  object.Set("operation", error.operation());
  object.Set("object", error.object());
  if (!error.hint().empty()) object.Set("hint", error.hint());
  return object;
}

// Runs `body`; the one place where C++ exceptions become JavaScript ones.
template <typename Body>
Napi::Value Guard(Napi::Env env, Body body) {
  try {
    return body();
  } catch (const BpfError& error) {
    napi_throw(env, ToJs(env, error));
    return env.Undefined();
  }
}

const char* ToJs(Answer answer) {
  switch (answer) {
    case Answer::kYes:
      return "yes";
    case Answer::kNo:
      return "no";
    case Answer::kUnknown:
      break;
  }
  return "unknown";
}

const std::vector<const char*> kAdviceNames = {
#define X(name) #name,
    FOR_EACH_ADVICE(X)
#undef X
};

const std::vector<const char*> kHintNames = {
#define X(name) #name,
    FOR_EACH_HINT_COUNTER(X)
#undef X
};

const std::vector<const char*> kReadOutcomes = {
#define X(name) #name,
    FOR_EACH_READ_OUTCOME(X)
#undef X
};

const std::vector<const char*> kPressureNames = {
#define X(name) #name,
    FOR_EACH_PRESSURE_COUNTER(X)
#undef X
};

template <typename Items, typename Convert>
Napi::Array ToArray(Napi::Env env, const Items& items, Convert convert) {
  Napi::Array array = Napi::Array::New(env, items.size());
  uint32_t i = 0;
  for (const auto& item : items) array.Set(i++, convert(item));
  return array;
}

std::vector<std::string> ToStrings(const Napi::Value& value, const char* what) {
  if (!value.IsArray())
    throw Napi::TypeError::New(value.Env(), std::string(what) + " must be an array");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<std::string> strings;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value item = array.Get(i);
    if (!item.IsString())
      throw Napi::TypeError::New(value.Env(), std::string(what) + " must hold strings only");
    strings.push_back(item.As<Napi::String>());
  }
  return strings;
}

std::string ToText(const Napi::Value& value, const char* what) {
  if (!value.IsString())
    throw Napi::TypeError::New(value.Env(), std::string(what) + " must be a string");
  return value.As<Napi::String>();
}

uint32_t ToUint32(const Napi::Value& value, uint32_t max, const char* what) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= max && number == static_cast<uint32_t>(number)))
    throw Napi::RangeError::New(
        value.Env(), std::string(what) + " must be an integer from 0 to " + std::to_string(max));
  return static_cast<uint32_t>(number);
}

uint64_t ToUint64(const Napi::Value& value, const char* what) {
  bool lossless = false;
  const uint64_t number = value.IsBigInt() ? value.As<Napi::BigInt>().Uint64Value(&lossless) : 0;
  if (!lossless)
    throw Napi::RangeError::New(value.Env(), std::string(what) + " must be a 64-bit bigint");
  return number;
}

// Memory of a BigUint64Array of just this length.
uint64_t* ToCounts(const Napi::Value& value, size_t length) {
  if (!value.IsTypedArray() ||
      value.As<Napi::TypedArray>().TypedArrayType() != napi_biguint64_array ||
      value.As<Napi::TypedArray>().ElementLength() != length)
    throw Napi::TypeError::New(value.Env(),
                               "into must be a BigUint64Array of " + std::to_string(length));
  return value.As<Napi::BigUint64Array>().Data();
}

// One more than the largest pid (kernel: include/linux/threads.h, PID_MAX_LIMIT).
constexpr double kPidLimit = 4194304;

// @identities: of the same processes, or undefined: all have the first
std::vector<CountedProcess> ToProcesses(const Napi::Value& tgids, const Napi::Value& identities) {
  if (!tgids.IsArray()) throw Napi::TypeError::New(tgids.Env(), "tgids must be an array");
  const Napi::Array array = tgids.As<Napi::Array>();
  if (array.Length() > TARGETS_MAX)
    throw Napi::RangeError::New(tgids.Env(), "at most " + std::to_string(TARGETS_MAX) + " tgids");
  if (!identities.IsUndefined() &&
      !(identities.IsArray() && identities.As<Napi::Array>().Length() == array.Length()))
    throw Napi::TypeError::New(tgids.Env(), "identities must be an array as long as tgids");
  std::vector<CountedProcess> processes;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value item = array.Get(i);
    const double number = item.IsNumber() ? item.As<Napi::Number>().DoubleValue() : 0;
    if (!(number >= 1 && number < kPidLimit && number == static_cast<uint32_t>(number)))
      throw Napi::RangeError::New(tgids.Env(), "a tgid must be an integer from 1 to 4194303");
    const uint32_t identity =
        identities.IsUndefined()
            ? 0
            : ToUint32(identities.As<Napi::Array>().Get(i), IDENTITIES_MAX - 1, "an identity");
    processes.push_back({static_cast<uint32_t>(number), identity});
  }
  return processes;
}

template <typename Use>
void ForEach(const Napi::Value& value, const char* what, Use use) {
  if (!value.IsArray())
    throw Napi::TypeError::New(value.Env(), std::string(what) + " must be an array");
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value item = array.Get(i);
    if (!item.IsObject())
      throw Napi::TypeError::New(value.Env(), std::string(what) + " must hold objects only");
    use(item.As<Napi::Object>());
  }
}

// The pins of one directory, and the memory of the journal in it.
class PinsObject : public Napi::ObjectWrap<PinsObject> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Pins",
                       {
                           InstanceAccessor<&PinsObject::Header>("header"),
                           InstanceMethod<&PinsObject::Read>("readJournal"),
                           InstanceMethod<&PinsObject::Write>("writeJournal"),
                           InstanceMethod<&PinsObject::Switch>("switchJournal"),
                           InstanceMethod<&PinsObject::EndCounting>("endCounting"),
                           InstanceMethod<&PinsObject::ReadArray>("readArray"),
                           InstanceMethod<&PinsObject::Clear>("clear"),
                           InstanceMethod<&PinsObject::Unload>("unload"),
                           InstanceMethod<&PinsObject::Close>("close"),
                       });
  }

  explicit PinsObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PinsObject>(info) {
    const std::string path = ToText(info[0], "path");
    Guard(info.Env(), [&] {
      pins_ = std::make_shared<Pins>(path);
      return info.Env().Undefined();
    });
  }

  const std::shared_ptr<Pins>& Opened(Napi::Env env) const {
    if (!pins_) throw Napi::Error::New(env, "the pins are closed");
    return pins_;
  }

 private:
  Napi::Value Header(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const JournalHeader& header = Opened(env)->journal().header();
    Napi::Object object = Napi::Object::New(env);
    object.Set("complete", header.complete != 0);
    object.Set("layout", Napi::BigInt::New(env, header.layout));
    object.Set("build", Napi::BigInt::New(env, header.build));
    object.Set("incarnation", Napi::BigInt::New(env, header.incarnation));
    object.Set("sequence", Napi::BigInt::New(env, header.sequence));
    return object;
  }

  // Memory of `length` bytes from `offset` on of an area.
  uint8_t* Part(const Napi::CallbackInfo& info, size_t length) {
    const uint32_t area = ToUint32(info[0], 1, "area");
    const uint32_t offset = ToUint32(info[1], JournalMap::kAreaBytes, "offset");
    if (length > JournalMap::kAreaBytes - offset)
      throw Napi::RangeError::New(info.Env(), "more bytes than the area has");
    return Opened(info.Env())->journal().Area(area) + offset;
  }

  Napi::Value Read(const Napi::CallbackInfo& info) {
    const uint32_t length = ToUint32(info[2], JournalMap::kAreaBytes, "length");
    return Napi::Buffer<uint8_t>::Copy(info.Env(), Part(info, length), length);
  }

  Napi::Value Write(const Napi::CallbackInfo& info) {
    if (!info[2].IsTypedArray() ||
        info[2].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
      throw Napi::TypeError::New(info.Env(), "bytes must be a Uint8Array");
    const auto bytes = info[2].As<Napi::Uint8Array>();
    std::copy_n(bytes.Data(), bytes.ElementLength(), Part(info, bytes.ElementLength()));
    return info.Env().Undefined();
  }

  Napi::Value Switch(const Napi::CallbackInfo& info) {
    Opened(info.Env())->journal().Switch(ToUint64(info[0], "sequence"));
    return info.Env().Undefined();
  }

  Napi::Value EndCounting(const Napi::CallbackInfo& info) {
    return Do(info, [&](Pins& pins) { pins.EndCounting(); });
  }
  Napi::Value Clear(const Napi::CallbackInfo& info) {
    return Do(info, [&](Pins& pins) { pins.Clear(); });
  }
  Napi::Value Unload(const Napi::CallbackInfo& info) {
    return Do(info, [&](Pins& pins) { pins.Unload(); });
  }

  template <typename Use>
  Napi::Value Do(const Napi::CallbackInfo& info, Use use) {
    Opened(info.Env());
    return Guard(info.Env(), [&] {
      use(*pins_);
      return info.Env().Undefined();
    });
  }

  Napi::Value ReadArray(const Napi::CallbackInfo& info) {
    const std::string name = ToText(info[0], "map");
    const std::shared_ptr<Pins>& pins = Opened(info.Env());
    return Guard(info.Env(), [&] {
      const std::vector<uint8_t> bytes = pins->ReadArray(name);
      return Napi::Value(Napi::Buffer<uint8_t>::Copy(info.Env(), bytes.data(), bytes.size()));
    });
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    pins_.reset();
    return info.Env().Undefined();
  }

  std::shared_ptr<Pins> pins_;
};

class Probe : public Napi::ObjectWrap<Probe> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Probe",
                       {
                           InstanceAccessor<&Probe::Programs>("programs"),
                           InstanceMethod<&Probe::Tasks>("tasks"),
                           InstanceMethod<&Probe::SetTargets>("setTargets"),
                           InstanceMethod<&Probe::SetExecEntries>("setExecEntries"),
                           InstanceMethod<&Probe::SetNames>("setNames"),
                           InstanceMethod<&Probe::SetDirectories>("setDirectories"),
                           InstanceMethod<&Probe::SeedFile>("seedFile"),
                           InstanceMethod<&Probe::ReadCounters>("readCounters"),
                           InstanceMethod<&Probe::ReadPressure>("readPressure"),
                           InstanceMethod<&Probe::ReadHints>("readHints"),
                           InstanceMethod<&Probe::ReadLatencies>("readLatencies"),
                           InstanceMethod<&Probe::Sample>("sample"),
                           InstanceMethod<&Probe::NextInterval>("nextInterval"),
                           InstanceMethod<&Probe::UseRecords>("useRecords"),
                           InstanceMethod<&Probe::Stats>("stats"),
                           InstanceMethod<&Probe::KeepAlive>("keepAlive"),
                           InstanceAccessor<&Probe::OrphanedNs>("orphanedNs"),
                           InstanceMethod<&Probe::BeginStatistics>("beginStatistics"),
                           InstanceMethod<&Probe::EndStatistics>("endStatistics"),
                           InstanceMethod<&Probe::RunTimeNs>("runTimeNs"),
                           InstanceMethod<&Probe::Detach>("detach"),
                           InstanceMethod<&Probe::Close>("close"),
                       });
  }

  explicit Probe(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Probe>(info) {
    const Napi::Value options = info[0];
    if (!options.IsObject()) throw Napi::TypeError::New(info.Env(), "options must be an object");
    const auto object = options.As<Napi::Object>();
    const auto optional = [&](const char* key, const char* what) {
      return object.Has(key) ? ToStrings(object.Get(key), what) : std::vector<std::string>();
    };
    const PageCacheProbe::Wanted wanted{ToStrings(object.Get("programs"), "options.programs"),
                                        optional("spare", "options.spare"),
                                        optional("sampled", "options.sampled")};
    const Napi::Value pinned = object.Get("pins");
    const std::shared_ptr<Pins> pins =
        pinned.IsObject()
            ? Napi::ObjectWrap<PinsObject>::Unwrap(pinned.As<Napi::Object>())->Opened(info.Env())
            : nullptr;
    Guard(info.Env(), [&] {
      probe_ = std::make_unique<PageCacheProbe>(wanted, pins);
      return info.Env().Undefined();
    });
  }

 private:
  static PageCacheProbe::Directory ToDirectory(const Napi::Object& item) {
    return {ToUint64(item.Get("ino"), "ino"), ToUint32(item.Get("dev"), UINT32_MAX, "dev"),
            static_cast<uint16_t>(ToUint32(item.Get("base"), COMPONENTS - FILE_KINDS, "base")),
            static_cast<uint16_t>(ToUint32(item.Get("identity"), IDENTITIES_MAX - 1, "identity"))};
  }

  const PageCacheProbe& Opened(const Napi::CallbackInfo& info) const {
    if (!probe_) throw Napi::Error::New(info.Env(), "the probe is closed");
    return *probe_;
  }

  Napi::Value Programs(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return ToArray(env, Opened(info).programs(), [&](const PageCacheProbe::Program& program) {
      Napi::Object object = Napi::Object::New(env);
      object.Set("name", program.name);
      object.Set("hook", program.hook);
      object.Set("spare", program.spare);
      object.Set("sampled", program.sampled);
      object.Set("attached", program.attached);
      object.Set("pinned", program.pinned);
      if (program.error) object.Set("error", ToJs(env, *program.error));
      return object;
    });
  }

  Napi::Value Tasks(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    Opened(info);
    return Guard(env, [&] {
      return ToArray(env, probe_->Tasks(), [&](const task_record& task) {
        Napi::Object object = Napi::Object::New(env);
        object.Set("pid", task.pid);
        object.Set("tgid", task.tgid);
        object.Set("startTimeNs", Napi::BigInt::New(env, uint64_t{task.start_time_ns}));
        object.Set("comm", std::string(task.comm, strnlen(task.comm, sizeof(task.comm))));
        object.Set("cgroup", Napi::BigInt::New(env, uint64_t{task.cgroup}));
        object.Set("parentCgroup", Napi::BigInt::New(env, uint64_t{task.parent_cgroup}));
        object.Set("hostName",
                   std::string(task.host_name, strnlen(task.host_name, sizeof(task.host_name))));
        object.Set("counted", probe_->IsCountedSinceExec(task.tgid));
        return object;
      });
    });
  }

  Napi::Value SetTargets(const Napi::CallbackInfo& info) {
    Opened(info);
    probe_->SetTargets(ToProcesses(info[0], info[1]));
    return info.Env().Undefined();
  }

  Napi::Value SetExecEntries(const Napi::CallbackInfo& info) {
    Opened(info);
    std::vector<exec_entry> entries;
    ForEach(info[0], "entries", [&](const Napi::Object& item) {
      exec_entry entry{};
      entry.cgroup = ToUint64(item.Get("cgroup"), "cgroup");
      ToText(item.Get("name"), "name").copy(entry.name, COMM_BYTES - 1);
      entry.identity = ToUint32(item.Get("identity"), IDENTITIES_MAX - 1, "identity");
      entries.push_back(entry);
    });
    if (entries.size() > EXEC_ENTRIES_MAX)
      throw Napi::RangeError::New(info.Env(),
                                  "at most " + std::to_string(EXEC_ENTRIES_MAX) + " entries");
    probe_->SetExecEntries(entries);
    return info.Env().Undefined();
  }

  Napi::Value SetNames(const Napi::CallbackInfo& info) {
    Opened(info);
    std::vector<PageCacheProbe::Name> names;
    ForEach(info[0], "names", [&](const Napi::Object& item) {
      const std::string tag = ToText(item.Get("tag"), "tag");
      names.push_back({tag.empty() ? '\0' : tag[0], ToText(item.Get("text"), "text"),
                       ToUint32(item.Get("kind"), FILE_KINDS - 1, "kind")});
    });
    return Guard(info.Env(), [&] {
      probe_->SetNames(names);
      return info.Env().Undefined();
    });
  }

  Napi::Value SetDirectories(const Napi::CallbackInfo& info) {
    Opened(info);
    std::vector<PageCacheProbe::Directory> directories;
    ForEach(info[0], "directories",
            [&](const Napi::Object& item) { directories.push_back(ToDirectory(item)); });
    return Guard(info.Env(), [&] {
      probe_->SetDirectories(directories);
      return info.Env().Undefined();
    });
  }

  Napi::Value SeedFile(const Napi::CallbackInfo& info) {
    Opened(info);
    const std::string path = ToText(info[0], "path");
    if (!info[1].IsObject()) throw Napi::TypeError::New(info.Env(), "directory must be an object");
    const auto kind = static_cast<uint16_t>(ToUint32(info[2], FILE_KINDS - 1, "kind"));
    const auto directory = ToDirectory(info[1].As<Napi::Object>());
    return Napi::Boolean::New(info.Env(), probe_->SeedFile(path, directory, kind));
  }

  Napi::Value ReadPressure(const Napi::CallbackInfo& info) {
    const PageCacheProbe& probe = Opened(info);
    probe.ReadPressure(ToCounts(info[0], size_t{SCOPE_COUNT} * PRESSURE_COUNT));
    return info.Env().Undefined();
  }

  Napi::Value ReadHints(const Napi::CallbackInfo& info) {
    const PageCacheProbe& probe = Opened(info);
    probe.ReadHints(ToCounts(info[0], size_t{IDENTITIES_MAX} * ADVICE_COUNT * HINT_COUNT));
    return info.Env().Undefined();
  }

  Napi::Value ReadLatencies(const Napi::CallbackInfo& info) {
    const PageCacheProbe& probe = Opened(info);
    probe.ReadLatencies(ToCounts(info[0], size_t{IDENTITIES_MAX} * READ_OUTCOMES * LATENCY_VALUES));
    return info.Env().Undefined();
  }

  Napi::Value Sample(const Napi::CallbackInfo& info) {
    Opened(info);
    if (!info[0].IsBoolean()) throw Napi::TypeError::New(info.Env(), "on must be a boolean");
    return Napi::Boolean::New(info.Env(), probe_->Sample(info[0].As<Napi::Boolean>()));
  }

  Napi::Value NextInterval(const Napi::CallbackInfo& info) {
    Opened(info);
    probe_->NextInterval();
    return info.Env().Undefined();
  }

  Napi::Value UseRecords(const Napi::CallbackInfo& info) {
    Opened(info);
    return Napi::Boolean::New(info.Env(), probe_->UseRecords());
  }

  Napi::Value ReadCounters(const Napi::CallbackInfo& info) {
    const PageCacheProbe& probe = Opened(info);
    if (!info[0].IsTypedArray() ||
        info[0].As<Napi::TypedArray>().TypedArrayType() != napi_biguint64_array)
      throw Napi::TypeError::New(info.Env(), "into must be a BigUint64Array");
    auto into = info[0].As<Napi::BigUint64Array>();
    const size_t components = into.ElementLength() / COUNTER_COUNT;
    if (into.ElementLength() % COUNTER_COUNT != 0 || components > COMPONENTS)
      throw Napi::RangeError::New(
          info.Env(), "into must hold whole components, at most " + std::to_string(COMPONENTS));
    probe.ReadCounters(into.Data(), components);
    return info.Env().Undefined();
  }

  Napi::Value Stats(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const PageCacheProbe& probe = Opened(info);
    return Guard(env, [&] {
      Napi::Object result = Napi::Object::New(env);
      result.Set("mapBytes", Napi::Number::New(env, static_cast<double>(probe.MapBytes())));
      result.Set("programs",
                 ToArray(env, probe.Stats(), [&](const PageCacheProbe::ProgramStats& s) {
                   Napi::Object object = Napi::Object::New(env);
                   object.Set("name", s.name);
                   object.Set("recursionMisses", Napi::BigInt::New(env, s.recursion_misses));
                   object.Set("runCount", Napi::BigInt::New(env, s.run_count));
                   object.Set("runTimeNs", Napi::BigInt::New(env, s.run_time_ns));
                   return object;
                 }));
      return Napi::Value(result);
    });
  }

  Napi::Value KeepAlive(const Napi::CallbackInfo& info) {
    Opened(info);
    probe_->KeepAlive(ToUint64(info[0], "timeout"));
    return info.Env().Undefined();
  }

  Napi::Value OrphanedNs(const Napi::CallbackInfo& info) {
    return Napi::BigInt::New(info.Env(), Opened(info).orphaned_ns());
  }

  Napi::Value BeginStatistics(const Napi::CallbackInfo& info) {
    Opened(info);
    return Guard(info.Env(), [&] {
      probe_->BeginStatistics();
      return info.Env().Undefined();
    });
  }

  Napi::Value EndStatistics(const Napi::CallbackInfo& info) {
    if (probe_) probe_->EndStatistics();
    return info.Env().Undefined();
  }

  Napi::Value RunTimeNs(const Napi::CallbackInfo& info) {
    const PageCacheProbe& probe = Opened(info);
    return Guard(info.Env(),
                 [&] { return Napi::Value(Napi::BigInt::New(info.Env(), probe.RunTimeNs())); });
  }

  Napi::Value Detach(const Napi::CallbackInfo& info) {
    if (probe_) probe_->Detach();
    return info.Env().Undefined();
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    probe_.reset();
    return info.Env().Undefined();
  }

  std::unique_ptr<PageCacheProbe> probe_;
};

Napi::Value ProbeFeatures(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&] {
    const KernelFacts facts = ProbeKernel();
    Napi::Object object = Napi::Object::New(env);
    object.Set("release", facts.release);
    object.Set("version", facts.version);
    object.Set("machine", facts.machine);
    object.Set("possibleCpus", facts.possible_cpus);
    object.Set("pageBytes", Napi::Number::New(env, static_cast<double>(facts.page_bytes)));
    object.Set("btf", ToJs(facts.btf));
    object.Set("permission", ToJs(facts.permission));
    object.Set("permissionReason", facts.permission_reason);
    object.Set("preemptibleRawTracepoints", ToJs(facts.preemptible_raw_tracepoints));
    object.Set("preemptMode", facts.preempt_mode);
    object.Set("hooks", ToArray(env, facts.hooks, [&](const HookFact& hook) {
                 Napi::Object entry = Napi::Object::New(env);
                 entry.Set("program", hook.program);
                 entry.Set("hook", hook.hook);
                 entry.Set("exists", ToJs(hook.exists));
                 entry.Set("reason", hook.reason);
                 return entry;
               }));
    return Napi::Value(object);
  });
}

// CONFIG_NR_CPUS of x86-64 is at most this (arch/x86/Kconfig).
constexpr uint32_t kCpusMax = 8192;

Napi::Value MapBytes(const Napi::CallbackInfo& info) {
  const auto names = ToStrings(info[0], "programs");
  const uint32_t cpus = ToUint32(info[1], kCpusMax, "possibleCpus");
  return Guard(info.Env(), [&] {
    const uint64_t bytes = PageCacheProbe::MapBytesAt(names, static_cast<int>(cpus));
    return Napi::Value(Napi::Number::New(info.Env(), static_cast<double>(bytes)));
  });
}

Napi::Value Layout(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&] {
    return Napi::Value(Napi::BigInt::New(info.Env(), PageCacheProbe::Layout()));
  });
}

// A function that makes an object of the class from its one argument.
Napi::Function MakerOf(Napi::Env env, Napi::Function definition) {
  auto constructor =
      std::make_shared<Napi::FunctionReference>(Napi::Persistent(std::move(definition)));
  return Napi::Function::New(env, [constructor](const Napi::CallbackInfo& info) -> Napi::Value {
    return constructor->New({info[0]});
  });
}

Napi::Value ReleaseStartMemory(const Napi::CallbackInfo& info) {
  ReturnFreedMemory();
  ReleaseProgramPages();
  return info.Env().Undefined();
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  // The classes themselves stay inside: these are the only ways to make one.
  exports.Set("open", MakerOf(env, Probe::Define(env)));
  exports.Set("openPins", MakerOf(env, PinsObject::Define(env)));
  exports.Set("layout", Napi::Function::New<Layout>(env));
  exports.Set("journalAreaBytes",
              Napi::Number::New(env, static_cast<double>(JournalMap::kAreaBytes)));
  exports.Set("mapBytes", Napi::Function::New<MapBytes>(env));
  exports.Set("releaseStartMemory", Napi::Function::New<ReleaseStartMemory>(env));
  exports.Set("probeFeatures", Napi::Function::New<ProbeFeatures>(env));
  exports.Set("counterNames", ToArray(env, kCounterNames, [&](const char* name) {
                return Napi::String::New(env, name);
              }));
  exports.Set("pressureNames", ToArray(env, kPressureNames, [&](const char* name) {
                return Napi::String::New(env, name);
              }));
  exports.Set("adviceNames", ToArray(env, kAdviceNames, [&](const char* name) {
                return Napi::String::New(env, name);
              }));
  exports.Set("hintNames", ToArray(env, kHintNames,
                                   [&](const char* name) { return Napi::String::New(env, name); }));
  exports.Set("readOutcomes", ToArray(env, kReadOutcomes, [&](const char* name) {
                return Napi::String::New(env, name);
              }));
  exports.Set("latencyBuckets", LATENCY_BUCKETS);
  exports.Set("componentsMax", COMPONENTS);
  exports.Set("fileKinds", FILE_KINDS);
  exports.Set("devicesMax", DEVICES_MAX);
  exports.Set("targetsMax", TARGETS_MAX);
  exports.Set("identitiesMax", IDENTITIES_MAX);
  exports.Set("execEntriesMax", EXEC_ENTRIES_MAX);
  return exports;
}

}  // namespace

NODE_API_MODULE(sidecar, Init)
