// The nearest person of a PersonArray; needs the generated messages alone, not rclcpp.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>

#include "smplerx_ros/msg/person_array.hpp"

namespace people_listener
{
using smplerx_ros::msg::Person;
using smplerx_ros::msg::PersonArray;

inline std::string source_name(uint8_t source)
{
  switch (source) {
    case Person::DISTANCE_SOURCE_UNKNOWN: return "unknown";
    case Person::DISTANCE_SOURCE_ASSUMED_STATURE: return "assumed stature";
    case Person::DISTANCE_SOURCE_GIVEN_HEIGHT: return "given height";
    case Person::DISTANCE_SOURCE_MEASURED_STATURE: return "measured stature";
    case Person::DISTANCE_SOURCE_DEPTH: return "depth";
    case Person::DISTANCE_SOURCE_GROUND: return "ground";
    case Person::DISTANCE_SOURCE_CAMERAS: return "cameras";
    default: return std::to_string(source);
  }
}

// Metres from the header frame's origin (the camera, or that of target_frame) to the pelvis; NaN if not known.
inline double distance(const Person & person)
{
  const auto & position = person.pose.pose.position;
  // Not std::hypot, which makes 0 of NaN with three arguments in libstdc++ 12.
  return std::sqrt(position.x * position.x + position.y * position.y + position.z * position.z);
}

// Standard deviation of this distance in metres, along the ray to the pelvis; 1000 where it is not known.
inline double deviation(const Person & person)
{
  const auto & position = person.pose.pose.position;
  const double ray[] = {position.x, position.y, position.z};
  double variance = 0.0;
  for (int row = 0; row < 3; ++row) {
    for (int column = 0; column < 3; ++column) {
      variance += ray[row] * person.pose.covariance[6 * row + column] * ray[column];
    }
  }
  return std::sqrt(variance) / distance(person);
}

// Points into the message; null if nobody's position is known.
inline const Person * nearest_person(const PersonArray & message)
{
  const Person * nearest = nullptr;
  double least = std::numeric_limits<double>::infinity();
  for (const Person & person : message.people) {
    if (distance(person) < least) {  // false for NaN
      nearest = &person;
      least = distance(person);
    }
  }
  return nearest;
}

// Id, distance, its standard deviation and what it rests on, of the nearest person.
inline std::string describe_nearest(const PersonArray & message)
{
  const Person * person = nearest_person(message);
  if (!person) {
    return "nobody whose position is known";
  }
  char numbers[64];
  std::snprintf(numbers, sizeof(numbers), "%.2f m +- %.2f m", distance(*person), deviation(*person));
  return person->id + ": " + numbers + " (" + source_name(person->distance_source) + ")";
}
}  // namespace people_listener
