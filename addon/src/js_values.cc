#include "js_values.h"

#include "page_cache.h"

namespace {

// One more than the largest pid (kernel: include/linux/threads.h, PID_MAX_LIMIT).
constexpr double kPidLimit = 4194304;

}  // namespace

Napi::Object ToJs(Napi::Env env, const BpfError& error) {
  Napi::Object object = Napi::Error::New(env, error.what()).Value();
  object.Set("code", error.code());
  object.Set("errno", error.error());
  object.Set("operation", error.operation());
  object.Set("object", error.object());
  if (!error.hint().empty()) object.Set("hint", error.hint());
  return object;
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

uint64_t* ToCounts(const Napi::Value& value, size_t length) {
  if (!value.IsTypedArray() ||
      value.As<Napi::TypedArray>().TypedArrayType() != napi_biguint64_array ||
      value.As<Napi::TypedArray>().ElementLength() != length)
    throw Napi::TypeError::New(value.Env(),
                               "into must be a BigUint64Array of " + std::to_string(length));
  return value.As<Napi::BigUint64Array>().Data();
}

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
