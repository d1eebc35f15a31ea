// Describes the nearest of the people on standard input, each: id, distance_source, x, y, z, 36 numbers of covariance.
#include <iostream>
#include <string>

#include "nearest_person.hpp"

int main()
{
  people_listener::PersonArray message;
  const auto number = [] {  // streams do not read nan
      std::string word;
      std::cin >> word;
      return std::stod(word);
    };
  std::string id;
  while (std::cin >> id) {
    auto & person = message.people.emplace_back();
    person.id = id;
    person.distance_source = static_cast<uint8_t>(number());
    auto & position = person.pose.pose.position;
    position.x = number();
    position.y = number();
    position.z = number();
    for (double & value : person.pose.covariance) {
      value = number();
    }
  }
  std::cout << people_listener::describe_nearest(message) << std::endl;
}
