/**
 * How many points the next batch may have: as many as the way to the server carries within the time of a stream.
 * Pure.
 */
import type { Answer } from "./outcome.js";

/** Smaller ones help nobody: a way too slow for some 3 kB in 15 s does not carry a connection either. */
const LEAST_POINTS = 10;
/** Twice as much goes where this share of the time was enough: with half of it every second batch would be too large. */
const QUICK_SHARE = 1 / 3;

export interface BatchSize {
  points(): number;
  /** Whether it is less than the most, so that even a single tick may be too much. */
  isReduced(): boolean;
  /** A batch of so many points has ended. */
  ended(points: number, answer: Answer, tookMs: number): void;
}

/** @param deadlineMs of a stream */
export function createBatchSize(mostPoints: number, deadlineMs: number): BatchSize {
  let limit = mostPoints;
  return {
    points: () => limit,
    isReduced: () => limit < mostPoints,
    ended(points, answer, tookMs) {
      // What was too small to be halved says nothing about a larger one, nor does what was far from full.
      if (answer !== "whole") {
        if (points > LEAST_POINTS) limit = Math.min(limit, Math.max(LEAST_POINTS, Math.ceil(points / 2)));
      } else if (points > limit / 2 && tookMs * (limit / points) <= deadlineMs * QUICK_SHARE) {
        limit = Math.min(mostPoints, 2 * limit);
      }
    },
  };
}
