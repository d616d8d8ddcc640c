// JavaScript values to C++ ones and back, with an error that names what is wrong.
#ifndef ADDON_JS_VALUES_H_
#define ADDON_JS_VALUES_H_

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bpf_error.h"
#include "target_slots.h"

Napi::Object ToJs(Napi::Env env, const BpfError& error);

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

template <typename Items, typename Convert>
Napi::Array ToArray(Napi::Env env, const Items& items, Convert convert) {
  Napi::Array array = Napi::Array::New(env, items.size());
  uint32_t i = 0;
  for (const auto& item : items) array.Set(i++, convert(item));
  return array;
}

std::vector<std::string> ToStrings(const Napi::Value& value, const char* what);

std::string ToText(const Napi::Value& value, const char* what);

uint32_t ToUint32(const Napi::Value& value, uint32_t max, const char* what);

uint64_t ToUint64(const Napi::Value& value, const char* what);

// Memory of a BigUint64Array of just this length.
uint64_t* ToCounts(const Napi::Value& value, size_t length);

// @identities: of the same processes, or undefined: all have the first
std::vector<CountedProcess> ToProcesses(const Napi::Value& tgids, const Napi::Value& identities);

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

#endif  // ADDON_JS_VALUES_H_
