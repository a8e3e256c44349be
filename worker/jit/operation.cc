#include "worker/jit/operation.h"

#include "worker/core/base/check.h"
#include "worker/core/base/elementary_formulas.h"

namespace somafit::jit {
namespace {

// 1 where true, else 0.
Lanes NumberOf(llvm::CmpInst::Predicate predicate, const Lanes& a,
               const Lanes& b) {
  llvm::Value* const truth =
      a.in->builder.CreateFCmp(predicate, a.value, b.value);
  return Select({a.in, truth}, Like(a, 1.0), Like(a, 0.0));
}

}  // namespace

Lanes EmitOperation(Op op, const Lanes& a, const Lanes& b, const Lanes& c) {
  switch (op) {
    case Op::kHold:
    case Op::kUpdated:
      return a;
    case Op::kNegate:
      return -a;
    case Op::kAbs:
      return Abs(a);
    case Op::kSqrt:
      return Intrinsic(llvm::Intrinsic::sqrt, a);
    case Op::kExp:
      return elementary::ExpOf(a);
    case Op::kExpm1:
      return elementary::Expm1Of(a);
    case Op::kExprel:
      return ExprelOf(a);
    case Op::kBernoulli:
      return elementary::BernoulliOf(a);
    case Op::kSin:
      return CallLibrary("sin", a);
    case Op::kCos:
      return CallLibrary("cos", a);
    case Op::kTan:
      return CallLibrary("tan", a);
    case Op::kSinh:
      return elementary::SinhOf(a);
    case Op::kCosh:
      return elementary::CoshOf(a);
    case Op::kTanh:
      return elementary::TanhOf(a);
    case Op::kAsin:
      return CallLibrary("asin", a);
    case Op::kAcos:
      return CallLibrary("acos", a);
    case Op::kAtan:
      return CallLibrary("atan", a);
    case Op::kLog:
      return CallLibrary("log", a);
    case Op::kLog10:
      return CallLibrary("log10", a);
    case Op::kLog1p:
      return Select(a > Like(a, elementary::kLog1pLimit), CallLibrary("log", a),
                    CallLibrary("log1p", a));
    case Op::kSign:
      return elementary::SignOf(a);
    case Op::kFloor:
      return Floor(a);
    case Op::kCeil:
      return Intrinsic(llvm::Intrinsic::ceil, a);
    case Op::kAdd:
      return a + b;
    case Op::kSubtract:
      return a - b;
    case Op::kMultiply:
      return a * b;
    case Op::kDivide:
      return a / b;
    case Op::kPower:
      return CallLibrary("pow", a, &b);
    case Op::kFloorDivide:
      return elementary::FloorDivideOf(a, b);
    case Op::kModulo:
      return elementary::ModuloOf(a, b);
    case Op::kLess:
      return NumberOf(llvm::CmpInst::FCMP_OLT, a, b);
    case Op::kLessEqual:
      return NumberOf(llvm::CmpInst::FCMP_OLE, a, b);
    case Op::kEqual:
      return NumberOf(llvm::CmpInst::FCMP_OEQ, a, b);
    case Op::kPoisson:
      return CallPoisson(a, b);
    case Op::kFma:
      return Fma(a, b, c);
    case Op::kSelect:
      return Select(
          {a.in, a.in->builder.CreateFCmpUNE(a.value, Like(a, 0.0).value)}, b,
          c);
    case Op::kClip:
      return elementary::ClipOf(a, b, c);
    case Op::kConstant:
    case Op::kParameter:
    case Op::kState:
    case Op::kInput:
    case Op::kInputNext:
    case Op::kTime:
    case Op::kStep:
    case Op::kNoise:
    case Op::kInner:
    case Op::kElapsed:
    case Op::kSolved:
    case Op::kElement:  // KernelCode has the arrays
      break;
  }
  SOMAFIT_CHECK(OpArity(op) > 0);
  return a;
}

}  // namespace somafit::jit
