// Print who is nearest in each image.
#include <iostream>

#include "nearest_person.hpp"
#include "rclcpp/rclcpp.hpp"

int main(int argc, char ** argv)
{
  rclcpp::init(argc, argv);
  auto node = rclcpp::Node::make_shared("people_listener");
  auto subscription = node->create_subscription<smplerx_ros::msg::PersonArray>(
    "/smplerx/people", 5, [](const smplerx_ros::msg::PersonArray & message) {
      std::cout << people_listener::describe_nearest(message) << std::endl;
    });
  rclcpp::spin(node);
  rclcpp::shutdown();
}
