// The border to JavaScript: arguments in, plain objects out, BpfError to Error. No logic.
#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "js_values.h"
#include "kernel_support.h"
#include "page_cache_probe.h"
#include "pins_object.h"
#include "process_memory.h"

namespace {

const std::vector<const char*> kCounterNames = {
#define X(name) #name,
    FOR_EACH_COUNTER(X)
#undef X
};

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

class Probe : public Napi::ObjectWrap<Probe> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Probe",
                       {
                           InstanceAccessor<&Probe::Programs>("programs"),
                           InstanceAccessor<&Probe::ProcessChanges>("processChanges"),
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
  static ComponentMaps::Directory ToDirectory(const Napi::Object& item) {
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

  Napi::Value ProcessChanges(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), Opened(info).ProcessChanges());
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
    std::vector<ComponentMaps::Name> names;
    ForEach(info[0], "names", [&](const Napi::Object& item) {
      const std::string tag = ToText(item.Get("tag"), "tag");
      names.push_back({tag.empty() ? '\0' : tag[0], ToText(item.Get("text"), "text"),
                       ToUint32(item.Get("kind"), FILE_KINDS - 1, "kind")});
    });
    return Guard(info.Env(), [&] {
      probe_->components().SetNames(names);
      return info.Env().Undefined();
    });
  }

  Napi::Value SetDirectories(const Napi::CallbackInfo& info) {
    Opened(info);
    std::vector<ComponentMaps::Directory> directories;
    ForEach(info[0], "directories",
            [&](const Napi::Object& item) { directories.push_back(ToDirectory(item)); });
    return Guard(info.Env(), [&] {
      probe_->components().SetDirectories(directories);
      return info.Env().Undefined();
    });
  }

  Napi::Value SeedFile(const Napi::CallbackInfo& info) {
    Opened(info);
    const std::string path = ToText(info[0], "path");
    if (!info[1].IsObject()) throw Napi::TypeError::New(info.Env(), "directory must be an object");
    const auto kind = static_cast<uint16_t>(ToUint32(info[2], FILE_KINDS - 1, "kind"));
    const auto directory = ToDirectory(info[1].As<Napi::Object>());
    return Napi::Boolean::New(info.Env(), probe_->components().SeedFile(path, directory, kind));
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
                 if (hook.refused) entry.Set("refused", true);
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
